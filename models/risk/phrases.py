"""What features are called in Spanish and Norwegian where subject and operation do not make it: a
phrase by the feature's name without its window. English has the notes of the features' cards.

>>> sorted(set(PHRASES["es"]) ^ set(PHRASES["no"]))
[]
>>> PHRASES["es"]["orders_due"].format(said="2", within=" en 3 días", percent="")
'pedidos que vencen en 3 días: 2'
"""

from __future__ import annotations

_BOTH: dict[str, tuple[str, str]] = {
    "all_complaint_trend": ("quejas de todos, frente a lo habitual", "alles klager mot vanlig"),
    "all_orders_trend": ("pedidos de todos, frente a lo habitual", "alles ordrer mot vanlig"),
    "all_payment_failed_trend": (
        "pagos fallidos de todos, frente a lo habitual",
        "alles mislykkede betalinger mot vanlig",
    ),
    "articles_article_id_distinct": ("artículos de ayuda distintos", "ulike hjelpeartikler"),
    "articles_count_since_tickets": (
        "artículos de ayuda leídos desde la última consulta",
        "hjelpeartikler lest siden siste henvendelse",
    ),
    "articles_topic_last": ("tema del último artículo de ayuda", "tema i siste hjelpeartikkel"),
    "articles_unhelpful_count_halved": (
        "artículos sin utilidad recientes",
        "unyttige hjelpeartikler i det siste",
    ),
    "articles_unhelpful_count_since_tickets": (
        "artículos sin utilidad desde la última consulta",
        "unyttige hjelpeartikler siden siste henvendelse",
    ),
    "bot_handed_over_count": (
        "sesiones del bot pasadas a una persona",
        "samtaler som boten ga videre",
    ),
    "bot_handed_over_share": (
        "sesiones del bot pasadas a una persona",
        "andel samtaler som boten ga videre",
    ),
    "bot_handed_over_since_last_days": (
        "días desde que el bot pasó a una persona",
        "dager siden boten sist ga videre",
    ),
    "bot_not_contained_count_halved": (
        "sesiones sin resolver del bot recientes",
        "uløste samtaler med boten i det siste",
    ),
    "bot_not_contained_count_since_tickets": (
        "sesiones sin resolver del bot desde la última consulta",
        "uløste samtaler med boten siden siste henvendelse",
    ),
    "bot_running_now": ("sesiones con el bot ahora", "samtaler med boten nå"),
    "bot_topic_last": ("tema de la última sesión con el bot", "tema i siste samtale med boten"),
    "category_complaints_per_order": (
        "quejas por pedido de esta categoría",
        "klager per ordre i varegruppen",
    ),
    "category_orders_late_share": (
        "entregas tardías de esta categoría",
        "andel sene leveringer i varegruppen",
    ),
    "category_orders_returned_share": (
        "devoluciones de esta categoría",
        "andel returer i varegruppen",
    ),
    "channel_first_response_over_usual": (
        "primera respuesta en su canal, frente a lo habitual",
        "første svar i kanalen mot vanlig",
    ),
    "channel_tickets_unanswered_per_ticket_now": (
        "consultas sin respuesta en su canal, por consulta",
        "ubesvarte henvendelser i kanalen, per henvendelse",
    ),
    "due_route_stuck_sum": (
        "pedidos que vencen en rutas paradas",
        "ordrer som forfaller på ruter som står",
    ),
    "due_route_under_way_share_sum": (
        "pedidos que vencen en rutas con retraso",
        "ordrer som forfaller på trege ruter",
    ),
    "feedback_count": ("opiniones", "omtaler"),
    "feedback_rating_last": ("última nota", "siste karakter"),
    "feedback_rating_mean": ("nota media", "gjennomsnittlig karakter"),
    "feedback_rating_smallest": ("nota más baja", "laveste karakter"),
    "items_amount_largest": ("artículo más caro", "dyreste vare"),
    "items_amount_mean": ("precio medio de los artículos", "gjennomsnittspris på varer"),
    "items_quantity_largest": ("mayor cantidad de un artículo", "største antall av en vare"),
    "items_quantity_mean": ("cantidad media por artículo", "gjennomsnittlig antall per vare"),
    "lately_product_complaints_per_item_largest": (
        "quejas por artículo del peor producto reciente",
        "klager per vare for det verste nylige produktet",
    ),
    "open_carrier_orders_late_share_largest": (
        "retrasos del peor transportista de sus pedidos",
        "forsinkelser hos ordrenes verste transportør",
    ),
    "open_product_complaints_per_item_largest": (
        "quejas por artículo del peor producto pedido",
        "klager per vare for det verste bestilte produktet",
    ),
    "open_product_orders_late_share_largest": (
        "retrasos del peor producto pedido",
        "forsinkelser for det verste bestilte produktet",
    ),
    "open_route_stuck_sum": ("pedidos abiertos en rutas paradas", "åpne ordrer på ruter som står"),
    "open_route_under_way_share_largest": (
        "pedidos sin llegar en su peor ruta",
        "andel ikke framme på ordrenes verste rute",
    ),
    "open_route_under_way_share_sum": (
        "pedidos abiertos en rutas con retraso",
        "åpne ordrer på trege ruter",
    ),
    "orders_delivered_delivery_time_mean_days": (
        "días de entrega, de media",
        "gjennomsnittlig leveringstid i dager",
    ),
    "orders_delivered_lateness_largest_days": (
        "mayor retraso de una entrega, en días",
        "største forsinkelse i dager",
    ),
    "orders_delivered_lateness_mean_days": (
        "retraso medio de las entregas, en días",
        "gjennomsnittlig forsinkelse i dager",
    ),
    "orders_due": ("pedidos que vencen", "ordrer som forfaller"),
    "orders_lateness_last_days": (
        "retraso de la última entrega, en días",
        "siste leverings forsinkelse i dager",
    ),
    "orders_not_shipped_now": ("pedidos sin enviar ahora", "usendte ordrer nå"),
    "orders_open_age_over_usual": (
        "espera de los pedidos abiertos, frente a lo habitual",
        "åpne ordrers ventetid mot vanlig",
    ),
    "orders_overdue_a_day_age_sum_days": (
        "días de atraso, uno por pedido a lo más",
        "dager på overtid, høyst én per ordre",
    ),
    "orders_overdue_age_stuck_days": (
        "días de atraso en rutas paradas",
        "dager på overtid på ruter som står",
    ),
    "orders_overdue_age_sum_days": (
        "días de atraso de los pedidos, en total",
        "dager på overtid til sammen",
    ),
    "orders_overdue_amount_sum_now": (
        "importe de los pedidos atrasados",
        "forsinkede ordrers beløp",
    ),
    "orders_product_category_distinct": ("categorías distintas pedidas", "ulike varegrupper"),
    "orders_product_category_last": ("categoría del último pedido", "siste ordres varegruppe"),
    "orders_promised_until_next_days": (
        "días hasta la próxima entrega prometida",
        "dager til neste lovede levering",
    ),
    "orders_quantity_last": ("cantidad del último pedido", "antall i siste ordre"),
    "orders_quantity_mean": ("cantidad media por pedido", "gjennomsnittlig antall per ordre"),
    "orders_quantity_sum": ("cantidad pedida", "antall bestilt"),
    "orders_unshipped_due": ("pedidos sin enviar que vencen", "usendte ordrer som forfaller"),
    "overdue_route_stuck_sum": (
        "pedidos atrasados en rutas paradas",
        "forsinkede ordrer på ruter som står",
    ),
    "overdue_route_under_way_share_sum": (
        "pedidos atrasados en rutas con retraso",
        "forsinkede ordrer på trege ruter",
    ),
    "plan_tickets_complaint_per_customer": (
        "quejas por cliente con su tarifa",
        "klager per kunde med samme abonnement",
    ),
    "plan_tickets_complaint_trend": (
        "quejas con su tarifa, frente a lo habitual",
        "klager med samme abonnement mot vanlig",
    ),
    "platform_errors_per_use": (
        "errores por uso en su plataforma",
        "feil per bruk på plattformen",
    ),
    "platform_errors_trend": (
        "errores en su plataforma, frente a lo habitual",
        "feil på plattformen mot vanlig",
    ),
    "platform_tickets_complaint_per_customer": (
        "quejas por cliente en su plataforma",
        "klager per kunde på plattformen",
    ),
    "platform_tickets_complaint_trend": (
        "quejas en su plataforma, frente a lo habitual",
        "klager på plattformen mot vanlig",
    ),
    "preferred_channel_first_response_over_usual": (
        "primera respuesta en su canal preferido, frente a lo habitual",
        "første svar i foretrukket kanal mot vanlig",
    ),
    "preferred_channel_tickets_unanswered_per_ticket_now": (
        "consultas sin respuesta en su canal preferido, por consulta",
        "ubesvarte henvendelser i foretrukket kanal, per henvendelse",
    ),
    "product_complaints_per_item_largest": (
        "quejas por artículo de su peor producto",
        "klager per vare for kundens verste produkt",
    ),
    "product_complaints_per_item_mean": (
        "quejas por artículo de sus productos",
        "klager per vare for kundens produkter",
    ),
    "product_tickets_complaint_trend": (
        "quejas de este producto, frente a lo habitual",
        "klager på produktet mot vanlig",
    ),
    "region_tickets_complaint_per_customer": (
        "quejas por cliente en su región",
        "klager per kunde i regionen",
    ),
    "region_tickets_complaint_trend": (
        "quejas en su región, frente a lo habitual",
        "klager i regionen mot vanlig",
    ),
    "ticket_product_tickets_complaint_trend": (
        "quejas del producto consultado, frente a lo habitual",
        "klager på produktet det ble spurt om, mot vanlig",
    ),
    "ticket_topic_tickets_complaint_trend": (
        "quejas sobre el tema consultado, frente a lo habitual",
        "klager om samme tema mot vanlig",
    ),
    "tickets_complaint_daily_rate": ("quejas al día", "klager per dag"),
    "tickets_complaint_open_now": ("quejas abiertas ahora", "åpne klager nå"),
    "tickets_complaint_per_order": ("quejas por pedido", "klager per ordre"),
    "tickets_complaint_per_order_shrunk": (
        "quejas por pedido, con lo habitual en cuenta",
        "klager per ordre, trukket mot det vanlige",
    ),
    "tickets_first_response_first_response_largest_days": (
        "primera respuesta más lenta, en días",
        "tregeste første svar i dager",
    ),
    "tickets_first_response_first_response_mean_days": (
        "primera respuesta de media, en días",
        "første svar i snitt, i dager",
    ),
    "tickets_handle_seconds_sum": (
        "segundos de atención a sus consultas",
        "sekunder brukt på henvendelsene",
    ),
    "tickets_live_unanswered_now_halved": (
        "consultas en directo sin respuesta",
        "ubesvarte direkte henvendelser",
    ),
    "tickets_open_age_sum_days": (
        "días que llevan abiertas sus consultas, en total",
        "dager som henvendelser har vært åpne, til sammen",
    ),
    "tickets_per_active_day": ("consultas por día de uso", "henvendelser per dag med bruk"),
    "tickets_per_day": ("consultas al día", "henvendelser per dag"),
    "tickets_per_issue": ("consultas por asunto", "henvendelser per sak"),
    "tickets_per_order": ("consultas por pedido", "henvendelser per ordre"),
    "tickets_priority_last": ("prioridad de la última consulta", "siste henvendelses prioritet"),
    "tickets_resolution_last_days": (
        "días hasta resolver la última consulta",
        "dager til siste henvendelse var løst",
    ),
    "tickets_resolved_resolution_mean_days": (
        "días hasta resolver sus consultas, de media",
        "dager til henvendelser er løst, i snitt",
    ),
    "tickets_unhappy_csat_count_halved": (
        "valoraciones malas recientes",
        "dårlige vurderinger i det siste",
    ),
    "treatments_arm_last": (
        "grupo del último contacto nuestro",
        "gruppe ved siste kontakt fra oss",
    ),
    "under_way_lot_trouble_sum": (
        "lo que está en camino puede ser de un lote defectuoso (esperados)",
        "varer på vei kan være fra et dårlig parti (ventet)",
    ),
    "usage_active_days": ("días de uso", "dager med bruk"),
    "usage_duration_seconds_mean": ("segundos por uso, de media", "sekunder per bruk i snitt"),
    "usage_duration_seconds_sum": ("segundos de uso", "sekunder med bruk"),
    "usage_errors_expected_as_in": (
        "errores esperables por lo que usa",
        "feil å vente av det som brukes",
    ),
    "usage_errors_per_active_day": ("errores por día de uso", "feil per dag med bruk"),
    "usage_errors_per_use": ("errores por uso", "feil per bruk"),
    "usage_errors_sum_halved": ("errores recientes", "feil i det siste"),
    "usage_feature_distinct": ("funciones distintas usadas", "ulike funksjoner brukt"),
    "usage_feature_last": ("última función usada", "sist brukte funksjon"),
    "usage_payment_feature_last": ("último pago", "siste betaling"),
    "usage_platform_last": ("última plataforma usada", "sist brukte plattform"),
}


def _phrase(name: str, words: str) -> str:
    said = "{percent}" if name.endswith("share") or "_share_largest" in name else "{said}"
    return f"{words}{{within}}: {said}"


PHRASES: dict[str, dict[str, str]] = {
    language: {name: _phrase(name, both[place]) for name, both in _BOTH.items()}
    for place, language in enumerate(("es", "no"))
}
