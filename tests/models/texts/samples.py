"""Texts for the tests: our own sentences in other languages, and the labelled English ones of the data folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOREIGN = {
    "de": [
        "Die Lieferung kam viel zu spät und der Kundendienst war nicht zu erreichen.",
        "Sehr gutes Produkt, ich bin wirklich zufrieden.",
        "Leider passt die Größe überhaupt nicht, ich habe es zurückgeschickt.",
        "Das Essen war kalt und die Bedienung unfreundlich.",
        "Alles bestens, gerne wieder!",
    ],
    "fr": [
        "La livraison était en retard et le service client ne répond pas.",
        "Très bon produit, je suis satisfait de mon achat.",
        "Le restaurant est agréable mais les prix sont trop élevés.",
        "Je ne recommande pas cette boutique, quelle déception.",
        "C'est parfait, merci beaucoup pour votre aide.",
    ],
    "es": [
        "El pedido llegó tarde y el paquete estaba roto.",
        "Muy buen producto, estoy encantado con la compra.",
        "La comida no estaba caliente y tardaron una hora en servirnos.",
        "No lo recomiendo, la calidad es muy mala.",
        "Todo perfecto, gracias por la atención.",
    ],
    "it": [
        "La consegna è arrivata in ritardo e il pacco era rotto.",
        "Ottimo prodotto, sono molto soddisfatto del mio acquisto.",
        "Il cibo non era buono e il servizio era lento.",
        "Non lo consiglio, la qualità è pessima.",
        "Tutto bene, grazie per la spedizione veloce.",
    ],
    "pt": [
        "A entrega chegou atrasada e a caixa estava aberta.",
        "Produto muito bom, estou satisfeito com a compra.",
        "A comida não estava boa e o serviço foi lento.",
        "Não recomendo, a qualidade é péssima.",
        "Tudo certo, obrigado pela atenção.",
    ],
    "nl": [
        "De levering was veel te laat en de klantenservice reageert niet.",
        "Zeer goed product, ik ben er erg blij mee.",
        "Het eten was koud en de bediening was niet vriendelijk.",
        "Ik kan deze winkel niet aanraden, slechte kwaliteit.",
        "Alles naar wens, bedankt voor de snelle service.",
    ],
    "sv": [
        "Leveransen var sen och kundtjänsten svarade inte på mina frågor.",
        "Mycket bra produkt, jag är väldigt nöjd med köpet.",
        "Maten var kall och det tog en timme att få den.",
    ],
    "da": [
        "Leveringen var for sen, og kundeservice svarede ikke på mine mails.",
        "Et meget godt produkt, jeg er glad for det.",
        "Maden var kold, og det tog en time at få den.",
    ],
    "pl": [
        "Przesyłka przyszła za późno i nie jest taka jak na zdjęciu.",
        "Bardzo dobry produkt, polecam wszystkim.",
        "Jedzenie było zimne, a obsługa nie była miła.",
    ],
    "tr": [
        "Ürün çok güzel ama kargo geç geldi.",
        "Bu mağazadan bir daha alışveriş yapmam, çok kötü.",
        "Her şey için teşekkürler, çok iyi bir hizmet.",
    ],
    "fi": [
        "Toimitus oli myöhässä ja asiakaspalvelu ei vastannut.",
        "Todella hyvä tuote, olen erittäin tyytyväinen.",
        "Ruoka oli kylmää mutta palvelu oli hyvä.",
    ],
    "und-cyrillic": ["Доставка опоздала на неделю.", "Очень хороший товар, спасибо!"],
    "und-greek": ["Η παράδοση άργησε πολύ.", "Πολύ καλό προϊόν."],
    "und-arabic": ["المنتج جيد جدا", "التوصيل متأخر"],
    "und-hebrew": ["המוצר מצוין"],
    "und-cjk": ["非常好的产品，物流很快。", "质量太差了"],
    "und-hiragana": ["とてもよかったです。"],
    "und-hangul": ["배송이 너무 늦었어요."],
    "und-thai": ["สินค้าดีมาก"],
    "und-devanagari": ["बहुत अच्छा उत्पाद है"],
}


def folder(name: str) -> Path:
    root = os.environ.get("SHOAL_TEST_DATA")
    if not root:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(root) / name


def sentences() -> dict[str, list[tuple[str, bool]]]:
    """The 3,000 labelled sentences of three sources."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for source in ("amazon_cells", "yelp", "imdb"):
        text = (folder("uci_sentiment_sentences") / f"{source}_labelled.txt").read_text(encoding="utf-8")
        pairs = [line.rstrip("\r").rsplit("\t", 1) for line in text.split("\n")]
        found[source] = [(p[0].strip(), p[1] == "1") for p in pairs if len(p) == 2 and p[1] in ("0", "1")]
    return found


def snippets() -> list[tuple[str, float, str]]:
    """The 3,708 snippets of product reviews: the review's number, the mean of twenty ratings (−4 … 4), the text."""
    path = folder("amazon_review_snippets_rated") / "amazonReviewSnippets_GroundTruth.txt"
    lines = [line.rstrip("\r").split("\t") for line in path.read_text(encoding="utf-8", errors="replace").split("\n")]
    return [(line[0].split("_")[0], float(line[1]), line[2]) for line in lines if len(line) == 3]
