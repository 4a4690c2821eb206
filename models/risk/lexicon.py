"""The words of the reasons: forms, subjects and whole sentences, per language.

>>> sorted(set(FORMS["en"]) ^ set(FORMS["es"])), sorted(set(FORMS["en"]) ^ set(FORMS["no"]))
([], [])
"""

from __future__ import annotations

LANGUAGES = ("en", "es", "no")
ENDINGS = (
    "since_last_days", "since_first_days", "gap_days", "gap_elapsed", "age_days", "share", "mean",
    "distinct", "largest", "smallest", "sum", "last", "now", "count",
)  # fmt: skip
"""Operations in the order in which a name is searched for them."""

FORMS: dict[str, dict[str, str]] = {
    "en": {
        "within": " in {} {}", "d": "days", "h": "hours", "min": "minutes", "so_far": " so far",
        "unknown": "not known", "yes": "yes", "no": "no",
        "late": "{} days late", "new": " (new: not seen before)", "today": "due today",
        "since_last_days": "the latest {one} was {said} days ago",
        "since_first_days": "the first {one} was {said} days ago",
        "gap_days": "{said} days between {of} on average",
        "gap_elapsed": "{of}: {said} usual intervals have passed",
        "age_days": "{of}: for {said} days",
        "share": "share of {of}{within}: {said}",
        "mean": "mean of {of}{within}: {said}",
        "distinct": "different {of}{within}: {said}",
        "largest": "largest of {of}{within}: {said}",
        "smallest": "smallest of {of}{within}: {said}",
        "sum": "sum of {of}{within}: {said}",
        "last": "latest {one}: {said}",
        "now": "{counted} now",
        "count": "{counted}{within}",
    },
    "es": {
        "within": " en {} {}", "d": "días", "h": "horas", "min": "minutos",
        "so_far": " hasta ahora", "unknown": "desconocido", "yes": "sí", "no": "no",
        "late": "{} días de retraso", "today": "previsto para hoy",
        "new": " (nuevo: no visto antes)",
        "since_last_days": "{said} días desde lo último: {of}",
        "since_first_days": "{said} días desde lo primero: {of}",
        "gap_days": "{of}: cada {said} días de media",
        "gap_elapsed": "{of}: han pasado {said} intervalos habituales",
        "age_days": "{of}: desde hace {said} días",
        "share": "proporción de {of}{within}: {said}",
        "mean": "media de {of}{within}: {said}",
        "distinct": "{of} distintos{within}: {said}",
        "largest": "mayor valor de {of}{within}: {said}",
        "smallest": "menor valor de {of}{within}: {said}",
        "sum": "suma de {of}{within}: {said}",
        "last": "{of}, último valor: {said}",
        "now": "{counted} ahora",
        "count": "{counted}{within}",
    },
    "no": {
        "within": " på {} {}", "d": "dager", "h": "timer", "min": "minutter",
        "so_far": " til nå", "unknown": "ikke kjent", "yes": "ja", "no": "nei",
        "late": "{} dager forsinket", "new": " (ny: ikke sett før)", "today": "skulle kommet i dag",
        "since_last_days": "{said} dager siden sist: {of}",
        "since_first_days": "{said} dager siden første gang: {of}",
        "gap_days": "{of}: i snitt hver {said}. dag",
        "gap_elapsed": "{of}: {said} vanlige intervaller er gått",
        "age_days": "{of}: i {said} dager",
        "share": "andel {of}{within}: {said}",
        "mean": "gjennomsnitt av {of}{within}: {said}",
        "distinct": "ulike {of}{within}: {said}",
        "largest": "største verdi av {of}{within}: {said}",
        "smallest": "minste verdi av {of}{within}: {said}",
        "sum": "sum av {of}{within}: {said}",
        "last": "{of}, siste verdi: {said}",
        "now": "{counted} nå",
        "count": "{counted}{within}",
    },
}  # fmt: skip

SUBJECTS: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "customers": ("customer", "customers"),
        "customer_region": ("region", "region"),
        "customer_segment": ("segment", "segment"),
        "customer_plan": ("plan", "plan"),
        "customer_platform": ("platform", "platform"),
        "customer_language": ("language", "language"),
        "customer_preferred_channel": ("preferred channel", "preferred channel"),
        "customer_value": ("yearly value", "yearly value"),
        "orders": ("order", "orders"),
        "orders_amount": ("order's amount", "amounts of orders"),
        "orders_open": ("open order", "open orders"),
        "orders_overdue": ("overdue order", "overdue orders"),
        "orders_unshipped": ("unshipped order", "unshipped orders"),
        "orders_late_delivered": ("late delivery", "late deliveries"),
        "orders_delivered": ("delivery", "deliveries"),
        "orders_cancelled": ("cancelled order", "cancelled orders"),
        "orders_returned": ("returned order", "returned orders"),
        "orders_refunded": ("refunded order", "refunded orders"),
        "orders_awaiting_refund": ("refund still due", "refunds still due"),
        "orders_carrier": ("carrier", "carriers"),
        "items": ("item", "items"),
        "items_product_id": ("product", "products"),
        "usage": ("use", "uses"),
        "usage_errors": ("error", "errors"),
        "usage_with_errors": ("use with errors", "uses with errors"),
        "usage_payment_failed": ("failed payment", "failed payments"),
        "tickets": ("ticket", "tickets"),
        "tickets_complaint": ("complaint", "complaints"),
        "tickets_open": ("open ticket", "open tickets"),
        "tickets_unanswered": ("unanswered ticket", "unanswered tickets"),
        "tickets_resolved": ("resolved ticket", "resolved tickets"),
        "tickets_reopened": ("reopened ticket", "reopened tickets"),
        "tickets_csat": ("rating", "ratings"),
        "tickets_unhappy_csat": ("bad rating", "bad ratings"),
        "tickets_topic": ("topic", "topics"),
        "tickets_channel": ("channel", "channels"),
        "bot": ("bot session", "bot sessions"),
        "bot_not_contained": ("unsolved bot session", "unsolved bot sessions"),
        "articles": ("help page read", "help pages read"),
        "articles_unhelpful": ("unhelpful help page", "unhelpful help pages"),
        "feedback_poor": ("poor review", "poor reviews"),
        "treatments": ("contact by us", "contacts by us"),
    },
    "es": {
        "customers": ("alta como cliente", "alta como cliente"),
        "customer_region": ("región", "región"),
        "customer_segment": ("segmento", "segmento"),
        "customer_plan": ("tarifa", "tarifa"),
        "customer_platform": ("plataforma", "plataforma"),
        "customer_language": ("idioma", "idioma"),
        "customer_preferred_channel": ("canal preferido", "canal preferido"),
        "customer_value": ("valor anual", "valor anual"),
        "orders": ("pedido", "pedidos"),
        "orders_amount": ("importe de pedidos", "importe de pedidos"),
        "orders_open": ("pedido abierto", "pedidos abiertos"),
        "orders_overdue": ("pedido atrasado", "pedidos atrasados"),
        "orders_unshipped": ("pedido sin enviar", "pedidos sin enviar"),
        "orders_late_delivered": ("entrega tardía", "entregas tardías"),
        "orders_delivered": ("entrega", "entregas"),
        "orders_cancelled": ("pedido anulado", "pedidos anulados"),
        "orders_returned": ("devolución", "devoluciones"),
        "orders_refunded": ("reembolso", "reembolsos"),
        "orders_awaiting_refund": ("reembolso pendiente", "reembolsos pendientes"),
        "orders_carrier": ("transportista", "transportista"),
        "items": ("artículo", "artículos"),
        "items_product_id": ("producto", "productos"),
        "usage": ("uso", "usos"),
        "usage_errors": ("error", "errores"),
        "usage_with_errors": ("uso con errores", "usos con errores"),
        "usage_payment_failed": ("pago fallido", "pagos fallidos"),
        "tickets": ("consulta", "consultas"),
        "tickets_complaint": ("queja", "quejas"),
        "tickets_open": ("consulta abierta", "consultas abiertas"),
        "tickets_unanswered": ("consulta sin respuesta", "consultas sin respuesta"),
        "tickets_resolved": ("consulta resuelta", "consultas resueltas"),
        "tickets_reopened": ("consulta reabierta", "consultas reabiertas"),
        "tickets_csat": ("satisfacción", "satisfacción"),
        "tickets_unhappy_csat": ("valoración mala", "valoraciones malas"),
        "tickets_topic": ("tema", "temas"),
        "tickets_channel": ("canal", "canales"),
        "bot": ("sesión con el bot", "sesiones con el bot"),
        "bot_not_contained": ("sesión sin resolver del bot", "sesiones sin resolver del bot"),
        "articles": ("artículo de ayuda leído", "artículos de ayuda leídos"),
        "articles_unhelpful": ("artículo sin utilidad", "artículos sin utilidad"),
        "feedback_poor": ("opinión mala", "opiniones malas"),
        "treatments": ("contacto nuestro", "contactos nuestros"),
    },
    "no": {
        "customers": ("kundeforhold", "kundeforhold"),
        "customer_region": ("region", "region"),
        "customer_segment": ("segment", "segment"),
        "customer_plan": ("abonnement", "abonnement"),
        "customer_platform": ("plattform", "plattform"),
        "customer_language": ("språk", "språk"),
        "customer_preferred_channel": ("foretrukket kanal", "foretrukket kanal"),
        "customer_value": ("verdi i året", "verdi i året"),
        "orders": ("ordre", "ordrer"),
        "orders_amount": ("ordrebeløp", "ordrebeløp"),
        "orders_open": ("åpen ordre", "åpne ordrer"),
        "orders_overdue": ("forsinket ordre", "forsinkede ordrer"),
        "orders_unshipped": ("usendt ordre", "usendte ordrer"),
        "orders_late_delivered": ("sen levering", "sene leveringer"),
        "orders_delivered": ("levering", "leveringer"),
        "orders_cancelled": ("avbestilt ordre", "avbestilte ordrer"),
        "orders_returned": ("retur", "returer"),
        "orders_refunded": ("refusjon", "refusjoner"),
        "orders_awaiting_refund": ("ventende refusjon", "ventende refusjoner"),
        "orders_carrier": ("transportør", "transportør"),
        "items": ("vare", "varer"),
        "items_product_id": ("produkt", "produkter"),
        "usage": ("bruk", "bruk"),
        "usage_errors": ("feil", "feil"),
        "usage_with_errors": ("bruk med feil", "bruk med feil"),
        "usage_payment_failed": ("mislykket betaling", "mislykkede betalinger"),
        "tickets": ("henvendelse", "henvendelser"),
        "tickets_complaint": ("klage", "klager"),
        "tickets_open": ("åpen henvendelse", "åpne henvendelser"),
        "tickets_unanswered": ("ubesvart henvendelse", "ubesvarte henvendelser"),
        "tickets_resolved": ("løst henvendelse", "løste henvendelser"),
        "tickets_reopened": ("gjenåpnet henvendelse", "gjenåpnede henvendelser"),
        "tickets_csat": ("tilfredshet", "tilfredshet"),
        "tickets_unhappy_csat": ("dårlig vurdering", "dårlige vurderinger"),
        "tickets_topic": ("tema", "temaer"),
        "tickets_channel": ("kanal", "kanaler"),
        "bot": ("samtale med boten", "samtaler med boten"),
        "bot_not_contained": ("uløst samtale med boten", "uløste samtaler med boten"),
        "articles": ("lest hjelpeartikkel", "leste hjelpeartikler"),
        "articles_unhelpful": ("unyttig hjelpeartikkel", "unyttige hjelpeartikler"),
        "feedback_poor": ("dårlig omtale", "dårlige omtaler"),
        "treatments": ("kontakt fra oss", "kontakter fra oss"),
    },
}

WHOLE: dict[str, dict[str, str]] = {
    "en": {
        "customers_since_first_days": "customer for {said} days",
        "orders_late_delivered_lateness_sum_days": (
            "late deliveries{within} add up to {said} days late"
        ),
        "usage_errors_sum": "{said} errors met{within}",
        "tickets_resolved_resolution_sum_days": "{said} days in all to resolve earlier tickets",
        "ever_lot_trouble_sum": "goods received may be of a bad lot (expected: {said})",
        "held_lot_trouble_sum": "goods in hand may be of a bad lot (expected: {said})",
        "unshipped_lot_trouble_sum": "goods on order may be of a bad lot (expected: {said})",
        "region_orders_overdue_share_now": "{percent} of open orders in this region are overdue",
        "carrier_orders_overdue_share_now": "{percent} of this carrier's open orders are overdue",
        "region_orders_late_share": "{percent} of deliveries in this region were late{within}",
        "carrier_orders_late_share": "{percent} of this carrier's deliveries were late{within}",
        "product_orders_returned_share": "{percent} of orders of this product came back{within}",
        "under_way_lot_trouble_sum": "{said} items under way are probably of a bad lot",
        "open_route_trouble_sum": "{said} open orders are probably on routes that stand still",
        "overdue_route_trouble_sum": (
            "{said} overdue orders are probably on routes that stand still"
        ),
        "due_route_trouble_sum": (
            "{said} orders due{within} are probably on routes that stand still"
        ),
        "orders_overdue_age_standing_days": "{said} days of delay on routes that stand still",
        "usage_release": "a release is due{within} for an app used {said} times in four weeks",
        "usage_errors_expected_as_in": "{said} errors to expect at the usual pace of use{within}",
        "usage_count_if_active": "{said} uses{within}, as far as the customer still comes",
        "usage_active_days_if_active": (
            "{said} active days{within}, as far as the customer still comes"
        ),
        "orders_count_if_active": "{said} orders{within}, as far as the customer still comes",
        "usage_still_active": "{percent} chance that the customer still comes",
    },
    "es": {
        "customers_since_first_days": "cliente desde hace {said} días",
        "orders_late_delivered_lateness_sum_days": (
            "las entregas tardías{within} suman {said} días de retraso"
        ),
        "usage_errors_sum": "{said} errores encontrados{within}",
        "tickets_resolved_resolution_sum_days": (
            "{said} días en total para resolver consultas anteriores"
        ),
        "ever_lot_trouble_sum": "lo recibido puede ser de un lote defectuoso (esperados: {said})",
        "held_lot_trouble_sum": "lo que tiene puede ser de un lote defectuoso (esperados: {said})",
        "unshipped_lot_trouble_sum": (
            "lo pedido puede ser de un lote defectuoso (esperados: {said})"
        ),
        "region_orders_overdue_share_now": (
            "{percent} de los pedidos abiertos de esta región van con retraso"
        ),
        "carrier_orders_overdue_share_now": (
            "{percent} de los pedidos abiertos de este transportista van con retraso"
        ),
        "region_orders_late_share": (
            "{percent} de las entregas de esta región llegaron tarde{within}"
        ),
        "carrier_orders_late_share": (
            "{percent} de las entregas de este transportista llegaron tarde{within}"
        ),
        "product_orders_returned_share": (
            "{percent} de los pedidos de este producto se devolvieron{within}"
        ),
        "under_way_lot_trouble_sum": (
            "{said} artículos en camino son probablemente de un lote defectuoso"
        ),
        "open_route_trouble_sum": "{said} pedidos abiertos van probablemente por rutas paradas",
        "overdue_route_trouble_sum": "{said} pedidos atrasados van probablemente por rutas paradas",
        "due_route_trouble_sum": (
            "{said} pedidos previstos{within} van probablemente por rutas paradas"
        ),
        "orders_overdue_age_standing_days": "{said} días de retraso en rutas paradas",
        "usage_release": (
            "habrá una versión nueva{within} de una aplicación usada {said} veces en cuatro semanas"
        ),
        "usage_errors_expected_as_in": "{said} errores por esperar con el uso habitual{within}",
        "usage_count_if_active": "{said} usos{within}, si el cliente sigue viniendo",
        "usage_active_days_if_active": "{said} días activos{within}, si el cliente sigue viniendo",
        "orders_count_if_active": "{said} pedidos{within}, si el cliente sigue viniendo",
        "usage_still_active": "{percent} de probabilidad de que el cliente siga viniendo",
    },
    "no": {
        "customers_since_first_days": "kunde i {said} dager",
        "orders_late_delivered_lateness_sum_days": (
            "sene leveringer{within} er til sammen {said} dager forsinket"
        ),
        "usage_errors_sum": "{said} feil{within}",
        "tickets_resolved_resolution_sum_days": (
            "{said} dager i alt for å løse tidligere henvendelser"
        ),
        "ever_lot_trouble_sum": "mottatte varer kan være fra et dårlig parti (ventet: {said})",
        "held_lot_trouble_sum": "varer i bruk kan være fra et dårlig parti (ventet: {said})",
        "unshipped_lot_trouble_sum": "bestilte varer kan være fra et dårlig parti (ventet: {said})",
        "region_orders_overdue_share_now": "{percent} av åpne ordrer i regionen er forsinket",
        "carrier_orders_overdue_share_now": "{percent} av transportørens åpne ordrer er forsinket",
        "region_orders_late_share": "{percent} av leveringene i regionen kom for sent{within}",
        "carrier_orders_late_share": "{percent} av transportørens leveringer kom for sent{within}",
        "product_orders_returned_share": "{percent} av ordrene på produktet kom i retur{within}",
        "under_way_lot_trouble_sum": "{said} varer underveis er trolig av et dårlig parti",
        "open_route_trouble_sum": "{said} åpne ordrer går trolig på ruter som står stille",
        "overdue_route_trouble_sum": "{said} forsinkede ordrer går trolig på ruter som står stille",
        "due_route_trouble_sum": (
            "{said} ordrer som ventes{within}, går trolig på ruter som står stille"
        ),
        "orders_overdue_age_standing_days": "{said} dagers forsinkelse på ruter som står stille",
        "usage_release": "ny versjon kommer{within} av en app brukt {said} ganger på fire uker",
        "usage_errors_expected_as_in": "{said} feil å vente ved vanlig bruk{within}",
        "usage_count_if_active": "{said} ganger i bruk{within}, så langt kunden fortsatt kommer",
        "usage_active_days_if_active": (
            "{said} aktive dager{within}, så langt kunden fortsatt kommer"
        ),
        "orders_count_if_active": "{said} ordrer{within}, så langt kunden fortsatt kommer",
        "usage_still_active": "{percent} sjanse for at kunden fortsatt kommer",
    },
}

LITTLE: dict[str, tuple[str, str]] = {
    "en": (
        "customer for {said} days: little is known yet",
        "little has happened with this customer so far, so little is known",
    ),
    "es": (
        "cliente desde hace {said} días: aún se sabe poco",
        "con este cliente ha pasado poco hasta ahora: se sabe poco",
    ),
    "no": (
        "kunde i {said} dager: lite er kjent ennå",
        "lite har skjedd med denne kunden til nå, så lite er kjent",
    ),
}
"""What is said of a customer whose risk stands where it does for want of history: a new one's, and
an old one's."""
