"""Regions: from the model and the table of exchanges to the core's."""

import csv
from importlib.resources import files
from pathlib import Path as FilePath

from callrouter.config import trunks
from callrouter.config.bounded import TooLongError, read_bounded
from callrouter.config.problems import Path, Place, nearest
from callrouter.config.references import Context
from callrouter.core.geography import Geography, Region
from callrouter.core.ids import RegionName, TenantName
from callrouter.core.numbering_plan import Confidence, NumberingPlan
from callrouter.core.numbering_plan import Place as NumberPlace
from callrouter.core.numbers import parse

_COLUMNS = ("prefix", "place", "samples", "against", "confidence", "note")

Table = list[tuple[str, str, Confidence, str]]
"""Prefix, place, confidence and note of each entry."""


def compile_geography(context: Context, directory: FilePath) -> Geography | None:
    """How regions are found; None if there is no sound default region. Faults go to the context's problems."""
    model = context.model
    regions: dict[RegionName, Region] = {}
    for name, spec in model.regions.items():
        context.refer("tenants", spec.tenant, ("regions", name, "tenant"))
        regions[RegionName(name)] = Region(RegionName(name), spec.title, TenantName(spec.tenant))
    plan = NumberingPlan(_places(context, _table(context, directory)))
    by_dialed = _by_number(context, "dialed", "dialled")
    by_trunk = _trunks(context)
    by_diversion = _by_number(context, "diversion", "diverted from it")
    default = RegionName(model.numbering.default_region)
    if context.whole("numbering") and not context.refer("regions", default, ("numbering", "default_region")):
        return None
    return Geography(regions, default, by_dialed, by_trunk, by_diversion, plan) if default in regions else None


def endpoints_of(context: Context, trunk: str) -> list[str]:
    """The PJSIP endpoints that calls of a trunk group come in by."""
    return trunks.endpoints_of(trunk, context.model.trunks[trunk])


def _table(context: Context, directory: FilePath) -> Table:
    """The table of exchanges that the numbering plan begins with."""
    chosen = context.model.numbering.table
    if chosen is None:
        return []
    path: Path = ("numbering", "table")
    try:
        if chosen == "kr055":
            text = (files("callrouter.core") / "data" / "kr055_exchanges.csv").read_text(encoding="utf-8")
        else:
            text = read_bounded(directory / chosen).decode("utf-8").replace("\r\n", "\n")
            # It routes calls as the YAML files do: another table is another version.
            context.document.texts[chosen] = text
    except OSError as error:
        remedy = "write kr055, or the name of a CSV file"
        context.error(path, f'the table "{chosen}" cannot be read: {error.strerror}', remedy)
        return []
    except TooLongError as error:
        context.error(path, f'the table "{chosen}" {error}', "write kr055, or the name of a CSV file")
        return []
    except UnicodeDecodeError:
        context.error(path, f'the table "{chosen}" is not UTF-8', "save it as UTF-8 (not CP949/EUC-KR)")
        return []
    return _rows(context, chosen, text)


def _rows(context: Context, file: str, text: str) -> Table:
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        context.problems.error(Place(file), "has other columns", f"write the header {','.join(_COLUMNS)}")
        return []
    table: Table = []
    for row in reader:
        try:
            confidence = Confidence(row["confidence"])
        except ValueError:
            known = ", ".join(grade.value for grade in Confidence)
            place = Place(file, reader.line_num)
            context.problems.error(place, f'unknown confidence "{row["confidence"]}"', f"write one of: {known}")
            continue
        table.append((row["prefix"], row["place"], confidence, row["note"] or ""))
    return table


def _places(context: Context, table: Table) -> dict[str, NumberPlace]:
    """Prefix to region: the table's, then what regions say themselves, which wins."""
    model = context.model
    region_of = {spec.place: RegionName(name) for name, spec in model.regions.items() if spec.place is not None}
    places = {
        prefix: NumberPlace(region_of[place], confidence, note)
        for prefix, place, confidence, note in table
        if place in region_of
    }
    known = {place for _, place, _, _ in table}
    owner: dict[str, str] = {}
    for name, spec in model.regions.items():
        if spec.place is not None and known and spec.place not in known:
            path: Path = ("regions", name, "place")
            context.error(path, f'the table of exchanges has no place "{spec.place}"', nearest(spec.place, known))
        for index, prefix in enumerate(spec.prefixes):
            path = ("regions", name, "prefixes", index)
            if not (prefix.isascii() and prefix.isdigit() and prefix.startswith("0")):
                context.error(path, f'"{prefix}" is not a prefix', "write digits with the 0 of the area code: 055225")
            elif owner.setdefault(prefix, name) != name:
                context.error(path, f'the prefix {prefix} is already in "{owner[prefix]}"', "keep one of them")
            else:
                places[prefix] = NumberPlace(RegionName(name), Confidence.CERTAIN)
    return places


def _by_number(context: Context, key: str, word: str) -> dict[str, RegionName]:
    """Number to region, of the lists that regions have under ``key``."""
    found: dict[str, RegionName] = {}
    for name, spec in context.model.regions.items():
        for index, number in enumerate(getattr(spec, key)):
            national = parse(number).national
            path: Path = ("regions", name, key, index)
            if not national:
                context.error(path, f'"{number}" is not a number', "write it as it is dialled: 055120")
            elif found.setdefault(national, RegionName(name)) != name:
                context.error(path, f'{number} is already {word} for "{found[national]}"', "keep one of them")
    return found


def _trunks(context: Context) -> dict[str, RegionName]:
    by_trunk: dict[str, RegionName] = {}
    for name, spec in context.model.regions.items():
        for index, trunk in enumerate(spec.trunks):
            path: Path = ("regions", name, "trunks", index)
            if not context.refer("trunks", trunk, path):
                continue
            for endpoint in endpoints_of(context, trunk):
                if by_trunk.setdefault(endpoint, RegionName(name)) != name:
                    context.error(path, f'"{trunk}" already belongs to "{by_trunk[endpoint]}"', "keep one of them")
    return by_trunk
