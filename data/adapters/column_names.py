"""By which names columns of exports go: what a name means nearly everywhere, and nothing that is
only likely.

Names are compared without case, accents and punctuation; what says the table ("Ticket Priority") or
that it is a time ("Closed Date", "closed_dt") may be there or not.

>>> meaning("tickets", ["Unique Key", "Created Date", "Complaint Type"])
{'ticket_id': 'Unique Key', 'opened_at': 'Created Date', 'topic': 'Complaint Type'}
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from data.contract import table

MEANS: Mapping[str, Mapping[str, str]] = {
    "tickets": {
        "ticket_id": "ticketid caseid casenumber issuekey conversationid ticketnumber number id "
        "key incidentid requestid caseenquiryid complaintid uniquekey ticketnummer saksnummer",
        "opened_at": "opened created submitted received createdtime creation started open raised "
        "reported logged registered datecreated datereceived requested erstelltam eroffnetam "
        "opprettet datetimeopened conversationcreated date",
        "customer_id": "customerid requesterid contactid userid clientid customer requester client "
        "callerid reporter customeremail requesteremail accountid email kundennummer kunde "
        "kundenr clientemail contactemail",
        "channel": "channel source origin via medium contacttype contactmethod casesource "
        "submittedvia initialchannel opendatachanneltype kanal canal",
        "topic": "topic category type reason issuetype tickettype queue department "
        "complainttype issue requesttype kategorie thema subject",
        "priority": "priority urgency severity prioritat prioritet",
        "resolved_at": "resolved solved closed resolution closing completed datetimeclosed "
        "dateclosed geschlossenam gelostam lukket",
        "first_response_at": "firstresponse firstreply firstresponded firstresponsetime answered",
        "reopened_at": "reopened",
        "handle_seconds": "handleseconds handletimeseconds handletime talktime aht",
        "csat": "csat satisfaction rating satisfactionscore customersatisfactionrating surveyscore "
        "happinessrating csatscore",
        "csat_at": "csat rated",
        "agent_id": "agentid assigneeid assignee agent owner ownerid assignedto assigneename",
        "text": "text description body message narrative consumercomplaintnarrative comment "
        "subject",
        "order_id": "orderid ordernumber productorder",
        "product_id": "productid sku product productpurchased",
        "language": "language locale",
    },
    "orders": {
        "order_id": "orderid ordernumber name invoice invoiceno id",
        "ordered_at": "ordered created order purchased invoice orderpurchase",
        "customer_id": "customerid userid email clientid customer buyerid customeremail",
        "amount": "amount total totalprice price revenue grandtotal ordertotal",
        "currency": "currency currencycode",
        "quantity": "quantity qty items",
        "product_id": "productid sku stockcode lineitemsku",
        "carrier": "carrier shippingmethod",
        "shipped_at": "shipped fulfilled dispatched orderdeliveredcarrier",
        "delivered_at": "delivered delivery orderdeliveredcustomer",
        "promised_at": "promised estimateddelivery orderestimateddelivery expecteddelivery",
        "cancelled_at": "cancelled canceled",
        "refunded_at": "refunded",
        "returned_at": "returned",
    },
    "usage": {
        "event_id": "eventid messageid usageid",
        "used_at": "used timestamp time event occurred date usage eventtime",
        "customer_id": "customerid userid distinctid userpseudoid anonymousid accountid",
        "feature": "feature event eventname action featurename",
        "quantity": "quantity usagecount count",
        "errors": "errors errorcount",
        "duration_seconds": "durationseconds usagedurationsecs duration",
        "platform": "platform os",
        "version": "version appversion",
    },
    "volumes": {
        "unique_id": "uniqueid series queue skill channel queuename splitskill split skillname",
        "ds": "ds datetime interval intervalstart startinterval starttime start date timestamp "
        "halfhour datum period",
        "y": "y calls offered offer contacts volume count callsoffered contactsqueued "
        "contactsoffered callsreceived value anrufe totalcalls",
    },
    "customers": {
        "customer_id": "customerid userid contactid accountid id",
        "signed_up_at": "signedup created registered signup joined since customersince",
        "region": "region country state city",
        "segment": "segment tier industry",
        "plan": "plan subscription plantier",
        "language": "language locale",
        "name": "name fullname accountname",
    },
    "feedback": {
        "feedback_id": "feedbackid reviewid responseid",
        "given_at": "given reviewcreation review submitted responded created",
        "customer_id": "customerid userid email",
        "rating": "rating score stars reviewscore nps",
        "text": "text comment review reviewcommentmessage",
        "product_id": "productid sku asin",
    },
}
"""By which names columns go elsewhere; the likelier first. Of times without what says they are."""
OF_TABLE = re.compile(
    "^(ticket|case|issue|request|conversation|complaint|order|event|customer|incident)(?=.{3})"
)
OF_TIME = re.compile("(datetime|timestamp|date|time|dt|at|on|utc|local)$")
Fits = Callable[[str, str], bool]
"""Whether a column of the contract may be made of a column of the source, by what it holds."""


def bare(name: str) -> str:
    """A name without case, accents and punctuation.

    >>> bare("Gelöst am")
    'gelostam'
    """
    letters = unicodedata.normalize("NFKD", name).lower()
    return re.sub("[^a-z0-9]", "", letters)


def _forms(name: str, is_time: bool) -> Iterator[str]:
    """The name, then without what says its table, then without what says that it is a time."""
    whole = bare(name)
    yield whole
    shorter = OF_TABLE.sub("", whole)
    yield shorter
    if is_time:
        yield OF_TIME.sub("", whole)
        yield OF_TIME.sub("", shorter)


def meaning(name: str, columns: Sequence[str], fits: Fits = lambda _, __: True) -> dict[str, str]:
    """A table's columns with the source's that mean them; a source's column is taken once."""
    known = MEANS[name]
    wanted = [c for c in table(name).columns if c.name in known or c.dtype != "string"]
    theirs_by_ours: dict[str, str] = {}
    for rank in range(4):  # an exact name anywhere goes before a likeness elsewhere
        for ours in sorted(wanted, key=lambda c: not c.required):
            if ours.name in theirs_by_ours:
                continue
            is_time = ours.dtype == "timestamp"
            spelled = [*_spellings(ours.name, is_time), *known.get(ours.name, "").split()]
            forms: dict[str, str] = {}
            for theirs in columns:
                listed = list(dict.fromkeys(_forms(theirs, is_time)))
                if rank < len(listed):
                    forms.setdefault(listed[rank], theirs)
            for one in spelled:
                theirs_of = forms.get(one)
                if (
                    theirs_of
                    and theirs_of not in theirs_by_ours.values()
                    and fits(ours.name, theirs_of)
                ):
                    theirs_by_ours[ours.name] = theirs_of
                    break
    return {c.name: theirs_by_ours[c.name] for c in table(name).columns if c.name in theirs_by_ours}


def _spellings(ours: str, is_time: bool) -> list[str]:
    whole = bare(ours)
    return [whole, OF_TIME.sub("", whole)] if is_time else [whole]
