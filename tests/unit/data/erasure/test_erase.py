"""A person forgotten: in every place, after every kill, for ever."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.erasure_person import (
    NAME,
    NOW,
    OTHER,
    PLANTED,
    TEXTS,
    WHO,
    standing,
    state_of,
    tables,
)
from data.check import check
from data.erasure import Erasure, erase, survey, unfinished
from data.erasure.finder import Finder
from data.erasure.formats import forget_in, found_in
from data.errors import DataError
from data.files import sha256_of
from data.pseudonyms import pseudonym
from data.snapshot import take
from data.store import (
    append_events,
    decisions_of,
    erasure_of,
    event_frames,
    open_store,
    outcome_counts,
    overrides_of,
    read_publication,
    salt,
    verify_log,
)
from data.store.consent import words_in
from data.workspace import Workspace, erased_rows, write_tables
from serving.audit import AuditLog, requests_logged
from serving.prediction_log import PredictionLog, keep_published, predictions


def forget(workspace: Workspace, step: object = None) -> Erasure:
    with open_store(workspace) as store:
        steps = {} if step is None else {"step": step}
        planned = survey(workspace, store, WHO)
        return erase(workspace, store, planned, now=NOW, by="tester", **steps)  # type: ignore[arg-type]


def test_every_string_stands_somewhere_before(workspace: Workspace) -> None:
    there = standing(workspace.path)
    assert {string for _, string in there} == set(PLANTED)
    assert len(PLANTED) == 20
    assert {Path(path).parts[0] for path, _ in there} == {".presage", "tables", "scores.csv"}


def test_nothing_of_a_person_is_left(workspace: Workspace) -> None:
    done = forget(workspace)
    assert done.complete and done.files > 20
    assert standing(workspace.path) == []
    assert not unfinished(workspace)
    assert list((workspace.state_dir / "erasing").iterdir()) == []


def test_a_dry_run_says_where_and_changes_nothing(workspace: Workspace) -> None:
    before = {p: p.read_bytes() for p in workspace.path.rglob("*.*") if p.is_file()}
    with open_store(workspace) as store:
        planned = survey(workspace, store, WHO)
    counts = {place.place: place.count for place in planned.places}
    assert counts["tables/orders.parquet"] == 3
    assert counts["tables/feedback.csv"] == 1
    assert counts["store, events"] == 3  # two of theirs, one of another's that names them
    assert counts["store, publications"] == 1
    assert counts["scores.csv"] == 1
    same = [p for p in before if "store.db" not in p.name and p.read_bytes() != before[p]]
    assert same == []
    done = forget(workspace)
    assert {place.place for place in done.places} == set(counts)


def test_logs_of_predictions_and_of_requests_forget_them_too(workspace: Workspace) -> None:
    with open_store(workspace) as store:
        secret = bytes.fromhex(salt(store, NOW))
    scores = pd.DataFrame({"customer_id": [WHO, OTHER], "as_of": NOW, "risk_7d": [0.5, 0.25]})
    keep_published(workspace.state_dir, secret, scores.assign(model_version="r"), NOW, 30)
    answered = PredictionLog(workspace.state_dir, secret, 30)
    answered.add(scores.to_dict("records"), NOW)
    answered.close()
    requests = AuditLog(workspace.state_dir, secret, 30)
    for about in ([WHO], [OTHER]):
        requests.add([("crm", "/v1/predictions", about, "r-1")], NOW)
    requests.close()
    done = forget(workspace)
    assert done.complete
    left = {pseudonym(secret, OTHER)}
    assert set(predictions(workspace.state_dir)["pseudonym"].dropna()) == left
    assert {one for line in requests_logged(workspace.state_dir) for one in line["about"]} == left


def test_others_keep_their_rows(workspace: Workspace) -> None:
    forget(workspace)
    kept = take(workspace, now=NOW)
    own = tables()
    for name in ("customers", "orders", "feedback", "usage"):
        theirs = own[name][own[name]["customer_id"] == OTHER]
        found = kept.frame(name)
        mine = found[found["customer_id"] == OTHER]
        for column in theirs.columns.intersection(found.columns):
            assert mine[column].tolist() == theirs[column].tolist(), (name, column)
    texts = kept.frame("tickets").set_index("ticket_id")["text"]
    assert texts["t-4"] == "I know [erased], she is [erased] too"
    assert texts["t-5"] == "thank you for the lamp"
    assert texts["t-10"] == "please tell [erased]"
    assert kept.frame("order_items")["order_id"].tolist() == ["order-4"]
    assert set(kept.frame("customers")["customer_id"]) == {OTHER, "c-3"}


def test_published_results_are_whole_under_their_new_hash(workspace: Workspace) -> None:
    home = workspace.state_dir / "published"
    names = sorted(p.name for p in home.glob("*.parquet"))
    forget(workspace)
    about = json.loads((home / "scores.json").read_bytes())
    assert about["rows"] == 2 and sha256_of(home / about["file"]) == about["sha256"]
    frame = pd.read_parquet(home / about["file"])
    assert frame["customer_id"].tolist() == [OTHER, "c-3"]
    assert frame["risk_7d"].tolist() == [0.125, 0.05]
    now = sorted(p.name for p in home.glob("*.parquet"))
    assert len(now) == len(names) and not set(now) & set(names)


def test_the_store_forgets_and_the_log_verifies(workspace: Workspace) -> None:
    with open_store(workspace) as store:
        before = verify_log(store)
    forget(workspace)
    with open_store(workspace) as store:
        after = verify_log(store)
        assert (after.entries, after.head) == (before.entries, before.head)
        assert (before.forgotten, after.forgotten) == (0, 1)
        assert [d["customer_id"] for d in decisions_of(store)] == [OTHER]
        with store.reading() as connection:
            words = words_in(connection, [WHO, OTHER])
        granted = {name: word.granted for name, word in words[OTHER].items()}
        assert (words[WHO], granted) == ({}, {"email": True, "phone": False})
        assert [row["decisions"] for row in outcome_counts(store)] == [1]
        assert [o.reason for o in overrides_of(store)] == ["[erased] announced a campaign"]
        assert set(event_frames(store)) == {"tickets"}
        published = read_publication(store, "scores")
        assert published is not None and len(published[1]) == published[0].rows == 2


def test_the_proof_tells_who_when_and_where_without_the_id(workspace: Workspace) -> None:
    forget(workspace)
    with open_store(workspace) as store:
        found = erasure_of(store, WHO)
        assert found is not None and erasure_of(store, OTHER) is None
    at, proof = found
    assert at == NOW and proof["by"] == "tester" and proof["state"] == "done"
    assert {place["place"] for place in proof["places"]} >= {"tables/orders.parquet"}
    assert not [string for string in PLANTED if string in json.dumps(proof)]


class Killed(BaseException):
    """What no handler of ours catches."""


def test_a_kill_at_any_step_ends_the_same_after_a_rerun(
    workspace: Workspace, tmp_path: Path
) -> None:
    steps: list[str] = []
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(workspace.path, undisturbed)
    forget(Workspace.open(undisturbed), steps.append)
    assert len(steps) > 20
    wanted = state_of(undisturbed)
    # once of each kind; `python -m benchmarks.erasure` kills at every one
    kinds = {step.split()[0]: number for number, step in reversed(list(enumerate(steps)))}
    assert len(kinds) >= 12
    for number in kinds.values():
        folder = tmp_path / "killed"
        shutil.copytree(workspace.path, folder)
        left = number

        def step(_: str) -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1

        with pytest.raises(Killed):
            forget(Workspace.open(folder), step)
        done = forget(Workspace.open(folder))
        assert done.complete
        assert standing(folder) == [], (number, steps[number])
        assert state_of(folder) == wanted, (number, steps[number])
        shutil.rmtree(folder)


def test_whoever_was_erased_stays_out(workspace: Workspace) -> None:
    forget(workspace)
    again = tables()
    assert erased_rows(workspace.path, again) == {
        "customers": 1, "orders": 3, "order_items": 1, "usage": 1, "tickets": 3, "feedback": 1,
        "treatments": 1,
    }  # fmt: skip
    written = write_tables(workspace.path, {n: again[n] for n in ("customers", "orders")})
    assert written == {"customers": 2, "orders": 1}
    with open_store(workspace) as store:
        rows = [{"order_id": f"o-{n}", "ordered_at": "2026-02-02T00:00:00", "customer_id": who}
                for n, who in enumerate((WHO, OTHER))]  # fmt: skip
        items = [{"order_id": "order-plant-1", "line": "9"}]
        done = append_events(store, {"orders": rows, "order_items": items}, NOW)
        assert (done.accepted, dict(done.erased_by)) == (1, {"orders": 1, "order_items": 1})
    assert standing(workspace.path) == []


def test_a_snapshot_leaves_the_erased_out_of_whatever_export(workspace: Workspace) -> None:
    forget(workspace)
    orders = workspace.tables_dir / "orders.parquet"
    tables()["orders"].to_parquet(orders)  # somebody copies an old export into the folder
    snapshot = take(workspace, now=NOW)
    assert snapshot.frame("orders")["customer_id"].tolist() == [OTHER]
    assert standing(snapshot.path) == []
    report = check(workspace, now=NOW)
    warned = [v for v in report.warnings if v.rule.startswith("erased")]
    assert [(v.table, v.rule) for v in warned] == [("orders", "erased: 3 rows")]
    assert WHO not in str(warned[0])
    done = forget(workspace)
    assert done.before == NOW and done.complete and standing(workspace.path) == []


def test_an_id_of_digits_is_no_number(workspace: Workspace) -> None:
    day = pd.Timestamp("2026-01-01")
    people = pd.DataFrame({"customer_id": [12346, 12347], "signed_up_at": day, "value": 12346.0})
    write_tables(workspace.path, {"customers": people}, by_key=False)
    state = workspace.state_dir / "note.json"
    state.write_text('{"rows": 12346, "share": 0.12346, "who": ["12346", "12347"]}')
    with open_store(workspace) as store:
        planned = survey(workspace, store, "12346")
        done = erase(workspace, store, planned, now=NOW, by="tester")
    assert done.complete
    kept = pd.read_parquet(workspace.tables_dir / "customers.parquet")
    assert kept["customer_id"].tolist() == [12347] and kept["value"].tolist() == [12346.0]
    told = json.loads(state.read_text())
    assert told == {"rows": 12346, "share": 0.12346, "who": ["12347"]}


def test_shared_names_and_words_are_nobodys_alone(workspace: Workspace) -> None:
    people = pd.read_parquet(workspace.tables_dir / "customers.parquet")
    people.loc[people["customer_id"] == OTHER, "name"] = NAME
    people.to_parquet(workspace.tables_dir / "customers.parquet", index=False)
    done = forget(workspace)
    assert NAME not in done.traces.called
    kept = pd.read_parquet(workspace.tables_dir / "customers.parquet")
    assert kept.set_index("customer_id")["name"][OTHER] == NAME


def test_categories_go_with_their_rows(workspace: Workspace) -> None:
    usage = workspace.tables_dir / "usage" / "part-1.parquet"
    both = pd.DataFrame({
        "event_id": ["u-1", "u-2"], "used_at": pd.Timestamp("2026-01-01"),
        "customer_id": pd.Categorical([WHO, OTHER]), "feature": "login",
    })  # fmt: skip
    both.to_parquet(usage, index=False, compression=None)
    assert WHO.encode() in usage.read_bytes()
    forget(workspace)
    assert b'"' + WHO.encode() not in usage.read_bytes()
    assert pa.types.is_dictionary(pq.read_schema(usage).field("customer_id").type)
    assert standing(workspace.path) == []


def test_what_only_others_can_change_is_named_and_kept_open(workspace: Workspace) -> None:
    toml = workspace.path / "presage.toml"
    toml.write_text(f"# {TEXTS[0]}\n" + toml.read_text())
    done = forget(workspace)
    assert [(p.place, p.by_hand) for p in done.left] == [("presage.toml", True)]
    assert len(unfinished(workspace)) == 1
    toml.write_text(toml.read_text().split("\n", 1)[1])
    assert forget(workspace).complete
    assert standing(workspace.path) == []


def test_nobody_of_that_id(workspace: Workspace) -> None:
    with open_store(workspace) as store, pytest.raises(DataError, match="nothing in"):
        survey(workspace, store, "cust/p-1")
    assert not unfinished(workspace)


def test_ids_that_were_merged_go_too(workspace: Workspace) -> None:
    day = pd.Timestamp("2026-01-01")
    merged = {"id": ["visitor-plant", "visitor-2"], "valid_from": day, "customer_id": [WHO, OTHER]}
    seen = {"event_id": ["v-1", "v-2"], "used_at": day, "feature": "page"}
    write_tables(workspace.path, {"identities": pd.DataFrame(merged)})
    visits = pd.DataFrame({**seen, "customer_id": merged["id"]})
    visits.to_parquet(workspace.tables_dir / "usage" / "part-2.parquet", index=False)
    done = forget(workspace)
    assert done.complete and done.traces.others == ["visitor-plant"]
    assert standing(workspace.path, [*PLANTED, "visitor-plant"]) == []
    assert erased_rows(workspace.path, {"usage": visits}) == {"usage": 1}


def test_other_forms_of_tables(workspace: Workspace) -> None:
    feedback = tables()["feedback"]
    (workspace.tables_dir / "feedback.csv").unlink()
    lines = workspace.tables_dir / "feedback.jsonl"
    feedback.to_json(lines, orient="records", lines=True, date_format="iso")
    usage = workspace.tables_dir / "usage"
    usage.joinpath("part-0.parquet").unlink()
    text = tables()["usage"].to_csv(index=False, sep=";")
    usage.joinpath("part-1.csv").write_text(text)
    usage.joinpath("part-1.parquet").unlink()
    done = forget(workspace)
    assert done.complete and standing(workspace.path) == []
    assert usage.joinpath("part-1.csv").read_text().splitlines() == [
        text.splitlines()[0], text.splitlines()[2],
    ]  # fmt: skip
    assert [json.loads(line)["feedback_id"] for line in lines.read_text().splitlines()] == ["f-2"]


@pytest.mark.parametrize("name", ["copy.csv", "copy.csv.gz", "copy.jsonl"])
@pytest.mark.parametrize("pack", [gzip.compress, lambda text: text.decode().encode("utf-16")])
def test_a_text_under_another_name_than_its_bytes_is_looked_into(
    name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    place = tmp_path / name
    place.write_bytes(pack(f"customer_id,value\n{WHO},1\n{OTHER},2\n".encode()))
    before, finder = place.read_bytes(), Finder(WHO)
    assert found_in(place, finder) == 1
    assert not forget_in(place, finder) and place.read_bytes() == before  # left to be said


def test_a_packed_table_is_exported_again(workspace: Workspace) -> None:
    (workspace.tables_dir / "feedback.csv").unlink()
    packed = workspace.tables_dir / "feedback.csv.gz"
    tables()["feedback"].to_csv(packed, index=False)
    done = forget(workspace)
    assert [(p.place, p.by_hand) for p in done.left] == [("tables/feedback.csv.gz", True)]
    assert take(workspace, now=NOW).frame("feedback")["customer_id"].tolist() == [OTHER]
