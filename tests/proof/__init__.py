"""The proof: a naive evaluator of the segment language, held against every engine of the product."""
