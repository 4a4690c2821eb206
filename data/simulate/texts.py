"""Short texts of customers by topic, mood and language: an opening, a body, an ending.

Made from templates, so they have the vocabulary of their topic and the tone of their mood and no
more; models that read them learn the templates. ``pool()`` holds every combination, in the order
topic × (question, complaint) × language × ``PER_CELL``.

>>> pool()[text_number(0, True, 0, 0)]
'This is not acceptable. My parcel is days late and nobody tells me why. Please fix this today.'
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

from data.simulate.rates import LANGUAGES, TOPICS

Texts = dict[str, dict[str, tuple[str, ...]]]

UPSET_OPENINGS = {
    "en": ("This is not acceptable.", "I am really disappointed.", "Again a problem.", "Hello."),
    "nb": ("Dette er ikke akseptabelt.", "Jeg er veldig skuffet.", "Igjen et problem.", "Hei."),
    "es": ("Esto no es aceptable.", "Estoy muy decepcionado.", "Otra vez un problema.", "Hola."),
}
UPSET_ENDINGS = {
    "en": ("Please fix this today.", "I expect an answer.", "Otherwise I will leave.", ""),
    "nb": ("Ordne dette i dag.", "Jeg forventer svar.", "Ellers slutter jeg som kunde.", ""),
    "es": ("Arréglenlo hoy.", "Espero una respuesta.", "Si no, me iré.", ""),
}
CALM_OPENINGS = {
    "en": ("Hi,", "Hello there,", "Good day,", "Quick question:"),
    "nb": ("Hei,", "God dag,", "Hallo,", "Et raskt spørsmål:"),
    "es": ("Hola,", "Buenos días,", "Buenas,", "Una pregunta:"),
}
CALM_ENDINGS = {
    "en": ("Thanks!", "Thank you in advance.", "Best regards", ""),
    "nb": ("Takk!", "Takk på forhånd.", "Vennlig hilsen", ""),
    "es": ("¡Gracias!", "Gracias de antemano.", "Un saludo", ""),
}
COMPLAINTS: Texts = {
    "delivery": {
        "en": (
            "My parcel is days late and nobody tells me why.",
            "The delivery was promised for last week and nothing came.",
            "Tracking has not moved since the carrier took my order.",
        ),
        "nb": (
            "Pakken min er flere dager forsinket, og ingen sier hvorfor.",
            "Leveringen var lovet forrige uke, og ingenting kom.",
            "Sporingen har stått stille siden transportøren hentet ordren.",
        ),
        "es": (
            "Mi paquete lleva días de retraso y nadie explica por qué.",
            "La entrega estaba prometida para la semana pasada y no llegó.",
            "El seguimiento no avanza desde que lo recogió el transportista.",
        ),
    },
    "defect": {
        "en": (
            "The item broke on the first day.",
            "What I received is defective and does not switch on.",
            "The product arrived with a crack and smells burnt.",
        ),
        "nb": (
            "Varen gikk i stykker første dag.",
            "Det jeg fikk er defekt og lar seg ikke slå på.",
            "Produktet kom med en sprekk og lukter svidd.",
        ),
        "es": (
            "El artículo se rompió el primer día.",
            "Lo que recibí es defectuoso y no enciende.",
            "El producto llegó agrietado y huele a quemado.",
        ),
    },
    "app_error": {
        "en": (
            "The app crashes every time since the update.",
            "I only get an error message when I open my orders.",
            "Nothing loads any more in your app.",
        ),
        "nb": (
            "Appen krasjer hver gang etter oppdateringen.",
            "Jeg får bare en feilmelding når jeg åpner ordrene mine.",
            "Ingenting lastes lenger i appen deres.",
        ),
        "es": (
            "La aplicación se cierra siempre desde la actualización.",
            "Solo veo un mensaje de error al abrir mis pedidos.",
            "Ya no carga nada en su aplicación.",
        ),
    },
    "billing": {
        "en": (
            "My payment failed and now you charge me a fee.",
            "I was charged twice this month.",
            "The invoice is wrong again.",
        ),
        "nb": (
            "Betalingen min feilet, og nå krever dere gebyr.",
            "Jeg ble belastet to ganger denne måneden.",
            "Fakturaen er feil igjen.",
        ),
        "es": (
            "Mi pago falló y ahora me cobran un recargo.",
            "Me han cobrado dos veces este mes.",
            "La factura vuelve a estar mal.",
        ),
    },
    "account": {
        "en": ("I have been locked out of my account for days.", "You changed my plan unasked."),
        "nb": (
            "Jeg har vært utestengt fra kontoen i flere dager.",
            "Dere endret planen min uspurt.",
        ),
        "es": ("Llevo días sin acceso a mi cuenta.", "Cambiaron mi plan sin preguntar."),
    },
    "returns": {
        "en": ("I sent it back and still have no refund.", "Your return label does not work."),
        "nb": ("Jeg returnerte varen og har ikke fått pengene.", "Returlappen virker ikke."),
        "es": ("Lo devolví y sigo sin reembolso.", "La etiqueta de devolución no funciona."),
    },
    "product": {
        "en": (
            "The product is nothing like its description.",
            "The quality is poor for the price.",
        ),
        "nb": ("Produktet ligner ikke på beskrivelsen.", "Kvaliteten er dårlig for prisen."),
        "es": ("El producto no se parece a la descripción.", "La calidad es mala para el precio."),
    },
    "other": {
        "en": ("Nobody answered my last message.", "Your service has become worse."),
        "nb": ("Ingen svarte på forrige melding.", "Servicen deres er blitt dårligere."),
        "es": ("Nadie respondió a mi último mensaje.", "Su servicio ha empeorado."),
    },
}
QUESTIONS: Texts = {
    "delivery": {
        "en": ("when will my parcel arrive?", "where can I track my order?"),
        "nb": ("når kommer pakken min?", "hvor kan jeg spore ordren?"),
        "es": ("¿cuándo llega mi paquete?", "¿dónde sigo mi pedido?"),
    },
    "defect": {
        "en": ("does the warranty cover this?", "how do I get a spare part?"),
        "nb": ("dekker garantien dette?", "hvordan får jeg en reservedel?"),
        "es": ("¿lo cubre la garantía?", "¿cómo consigo un repuesto?"),
    },
    "app_error": {
        "en": ("which version of the app do I need?", "how do I update the app?"),
        "nb": ("hvilken versjon av appen trenger jeg?", "hvordan oppdaterer jeg appen?"),
        "es": ("¿qué versión de la aplicación necesito?", "¿cómo actualizo la aplicación?"),
    },
    "billing": {
        "en": ("can I get a copy of my invoice?", "how do I change my card?"),
        "nb": ("kan jeg få en kopi av fakturaen?", "hvordan bytter jeg kort?"),
        "es": ("¿me envían una copia de la factura?", "¿cómo cambio mi tarjeta?"),
    },
    "account": {
        "en": ("how do I change my address?", "how can I upgrade my plan?"),
        "nb": ("hvordan endrer jeg adressen?", "hvordan oppgraderer jeg planen?"),
        "es": ("¿cómo cambio mi dirección?", "¿cómo mejoro mi plan?"),
    },
    "returns": {
        "en": ("how do I return an item?", "how long do I have for a return?"),
        "nb": ("hvordan returnerer jeg en vare?", "hvor lang er returfristen?"),
        "es": ("¿cómo devuelvo un artículo?", "¿qué plazo hay para devolver?"),
    },
    "product": {
        "en": ("is this model in stock?", "which size should I choose?"),
        "nb": ("er denne modellen på lager?", "hvilken størrelse bør jeg velge?"),
        "es": ("¿hay existencias de este modelo?", "¿qué talla debo elegir?"),
    },
    "other": {
        "en": ("thank you for your message, I have a question.", "do you have a shop near me?"),
        "nb": ("takk for meldingen, jeg har et spørsmål.", "har dere butikk nær meg?"),
        "es": ("gracias por su mensaje, tengo una duda.", "¿tienen tienda cerca?"),
    },
}
PER_CELL = 48
SPAM = "Win a prize now, click the link to claim your reward"


def text_number(topic: Any, complaint: Any, language: Any, variant: Any) -> Any:
    """The position in ``pool()`` of texts: integers, or arrays of them."""
    return ((topic * 2 + complaint) * len(LANGUAGES) + language) * PER_CELL + variant


def _cell(topic: str, complaint: bool, language: str) -> list[str]:
    openings = (UPSET_OPENINGS if complaint else CALM_OPENINGS)[language]
    endings = (UPSET_ENDINGS if complaint else CALM_ENDINGS)[language]
    bodies = (COMPLAINTS if complaint else QUESTIONS)[topic][language]
    texts = [" ".join(filter(None, parts)) for parts in product(openings, bodies, endings)]
    return [texts[k % len(texts)] for k in range(PER_CELL)]


@cache
def pool() -> tuple[str, ...]:
    """Every text, by ``text_number``; the last one is the machines'."""
    texts = [
        text
        for topic in TOPICS
        for complaint in (False, True)
        for language in LANGUAGES
        for text in _cell(topic, complaint, language)
    ]
    return (*texts, SPAM)
