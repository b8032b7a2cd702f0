"""What pages about segments ask of a workspace: courses of sizes, what sets a segment apart, where members came from."""
