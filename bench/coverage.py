"""``python -m bench.coverage``: how long the proof of a year takes: of the sample, of a province of many cities."""

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
import yaml

from bench.figures import percentile
from callrouter.config import Loaded, load
from callrouter.core.routing import Ruleset
from callrouter.proof.findings import findings, surprise_texts
from callrouter.proof.picture import picture
from callrouter.proof.proving import Proof, prove

SAMPLE = Path(__file__).resolve().parents[1] / "config"
AIM_S = 2.0
"""For the sample: the proof and everything that is said of it."""
_SECRETS = {"CALLROUTER_ARI_PASSWORD": "x"}
_Result = TypeVar("_Result")


@click.command(epilog="Example: python -m bench.coverage --rounds 20")
@click.option("--year", type=click.IntRange(1971, 9989), default=2027, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 1000), default=10, show_default=True)
def main(year: int, rounds: int) -> None:
    """Measure the proof, what is found in it, and its picture. The exit status says whether it ran, not how fast."""
    click.echo(
        f"{'configuration':<16}{'rules':>6}{'kinds':>7}{'moments':>9}  {'step':<10}{'median ms':>10}{'longest ms':>12}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "province"
        write_province(folder)
        for name, where in (("sample", SAMPLE), ("many cities", folder)):
            total_ms = 0.0
            loaded = load(where, _SECRETS)
            for line, median_ms in _measured(name, loaded, year, rounds):
                click.echo(line)
                total_ms += median_ms
            if where is SAMPLE:
                verdict = "met" if total_ms < AIM_S * 1000 else "missed"
                click.echo(f"{name}: {total_ms:.0f} ms in all, aim under {AIM_S:g} s: {verdict}")


def _measured(name: str, loaded: Loaded, year: int, rounds: int) -> Iterator[tuple[str, float]]:
    """A line for each step, and its median in milliseconds."""
    rules = loaded.rulebook.router
    assert isinstance(rules, Ruleset)
    proof, proving_ms = _timed(lambda: prove(rules, year, loaded.timezone), rounds)

    def fresh() -> Proof:
        return Proof(*(getattr(proof, field) for field in Proof.__dataclass_fields__))

    _, finding_ms = _timed(lambda: (findings(found := fresh(), loaded.rulebook), surprise_texts(found)), rounds)
    _, drawing_ms = _timed(lambda: picture(fresh(), name), rounds)
    for step, times_ms in (("proof", proving_ms), ("findings", finding_ms), ("picture", drawing_ms)):
        median_ms = statistics.median(times_ms)
        sizes = f"{len(rules.routes):>6}{len(proof.kinds):>7}{len(proof.moments):>9}"
        yield f"{name:<16}{sizes}  {step:<10}{median_ms:>10.1f}{percentile(times_ms, 100):>12.1f}", median_ms


def _timed(work: Callable[[], _Result], rounds: int) -> tuple[_Result, list[float]]:
    """What the work gives, and how long each round took, in milliseconds; the first round is thrown away."""
    result, times_ms = work(), []
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        times_ms.append((time.perf_counter() - began) * 1000)
    return result, times_ms


def write_province(folder: Path) -> None:
    """The sample as it would be with hours and rules of their own for every city and county; JSON is YAML, too."""
    shutil.copytree(SAMPLE, folder)
    read = {name: yaml.safe_load((SAMPLE / f"{name}.yaml").read_text("utf-8")) for name in ("regions", "routes")}
    cities = [name for name in read["regions"]["regions"] if name != "gyeongnam"]
    calendars = {}
    routes = []
    for number, city in enumerate(cities):
        calendars[f"{city}-day"] = {"like": "weekday-day", "exceptions": {f"2027-10-{number + 1:02}": "10:00-16:00"}}
        calendars[f"{city}-saturday"] = {"open": f"2nd,4th sat 09:{number:02}-13:00"}
        do = [{"announce": "welcome"}, {"queue": "gyeongnam"}]
        for topic in ("passport", "welfare"):
            when = {"region": city, "topic": topic, "calendar": f"{city}-day"}
            routes.append({"id": f"{city}-{topic}", "when": when, "do": do})
        routes.append({"id": f"{city}-open", "when": {"region": city, "calendar": f"{city}-day"}, "do": do})
        routes.append({"id": f"{city}-sat", "when": {"region": city, "calendar": f"{city}-saturday"}, "do": do})
    (folder / "cities.yaml").write_text(json.dumps({"calendars": calendars}), "utf-8")
    routes += [route for route in read["routes"]["routes"] if not route["id"].startswith("changwon")]
    (folder / "routes.yaml").write_text(json.dumps({**read["routes"], "routes": routes}), "utf-8")
    (folder / "routes-test.yaml").unlink()


if __name__ == "__main__":
    main(prog_name="python -m bench.coverage")
