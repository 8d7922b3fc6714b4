"""From the directory to rulebook and settings: the sample, the environment, secrets, versions."""

import shutil
from collections import Counter
from dataclasses import fields
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.config import Loaded, daemon, load
from callrouter.config.limits import LEAST
from callrouter.config.settings import LogFormat
from callrouter.core.call_orders import CallVerb
from callrouter.core.decision import Action
from callrouter.core.ids import PromptName, QueueName, SiteName
from callrouter.core.inbound import CallFacts, RegionSource
from callrouter.core.plan import Announce, EnterQueue, HangUp
from callrouter.core.routing import Ruleset
from callrouter.core.rulebook import Limits, WhenFull
from callrouter.core.waiting_spec import POSITION_PROMPTS, WAIT_PROMPTS
from callrouter.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "config"
BASE = Path(__file__).parents[1] / "bad_config" / "base"
HALL = SiteName("hall")


@pytest.fixture(scope="module")
def sample() -> Loaded:
    return load(SAMPLE, {"CALLROUTER_ARI_PASSWORD": "geheim"})


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A writable copy of the small configuration."""
    return shutil.copytree(BASE, tmp_path / "config")


def decide(loaded: Loaded, caller: str, moment: str, dialed: str = "120") -> str:
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Asia/Seoul"))
    return loaded.rulebook.router.decide(CallFacts(dialed, SiteName("gyeongnam"), caller), at).rule


class TestTheSample:
    def test_has_neither_faults_nor_warnings(self, sample: Loaded) -> None:
        assert sample.warnings == ()
        assert sample.missing_secrets == ()
        sample.require_secrets()

    @pytest.mark.parametrize(
        ("caller", "moment", "rule"),
        [
            ("0552251234", "2026-11-24T09:00", "changwon-day"),
            ("0552251234", "2026-11-24T17:59:59", "changwon-day"),
            ("0552251234", "2026-11-24T18:00", "changwon-night"),
            ("0552251234", "2026-11-24T21:59:59", "changwon-night"),
            ("0552251234", "2026-11-24T22:00", "closed"),
            ("0557421234", "2026-11-24T12:00", "gyeongnam-day"),
            ("0557421234", "2026-11-24T19:30", "gyeongnam-night"),
            ("0557421234", "2026-11-28T12:00", "closed"),
            ("01023456789", "2026-11-24T12:00", "gyeongnam-day"),
            ("anonymous", "2026-11-24T19:00", "gyeongnam-night"),
            ("0552251234", "2026-12-25T12:00", "closed"),
            ("0552251234", "2026-10-05T12:00", "closed"),
            ("0552251234", "2027-02-09T12:00", "closed"),
            ("0552251234", "2027-12-27T19:00", "closed"),
        ],
    )
    def test_routes_by_region_and_time(self, sample: Loaded, caller: str, moment: str, rule: str) -> None:
        assert decide(sample, caller, moment) == rule

    def test_serves_and_closes_as_described(self, sample: Loaded) -> None:
        router = sample.rulebook.router
        assert isinstance(router, Ruleset)
        plans = {str(route.rule): route.plan for route in router.routes}
        assert plans["changwon-night"].steps == (
            Announce(PromptName("changwon-night-welcome")),
            EnterQueue(QueueName("changwon"), 600.0),
            Announce(PromptName("all-busy")),
            HangUp(),
        )
        assert plans["closed"].steps == (Announce(PromptName("closed")), HangUp())

    def test_has_the_province_and_its_eighteen_cities_and_counties(self, sample: Loaded) -> None:
        router = sample.rulebook.router
        assert isinstance(router, Ruleset)
        regions = router.geography.regions
        assert len(regions) == 19
        assert Counter(region.tenant for region in regions.values()) == {"gyeongnam": 18, "changwon": 1}
        assert len({region.title for region in regions.values()}) == 19

    def test_places_every_sampled_exchange(self, sample: Loaded) -> None:
        at = datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Asia/Seoul"))
        expected = {
            "0552111234": ("gyeongnam", "certain"),
            "0552251234": ("changwon", "strong"),
            "0552491234": ("changwon", "weak"),
            "0553911234": ("miryang", "weak"),
            "0553921234": ("yangsan", "strong"),
            "0553301234": ("gimhae", "strong"),
            "0556501234": ("tongyeong", "strong"),
            "0559741234": ("sancheong", "fair"),
            "0559991234": ("gyeongnam", "weak"),
        }
        for number, (region, confidence) in expected.items():
            decision = sample.rulebook.router.decide(CallFacts("120", HALL, number), at)
            assert (decision.region, decision.extra["region_confidence"]) == (region, confidence), number

    def test_has_the_counselors_of_the_hall_and_of_changwon(self, sample: Loaded) -> None:
        agents = sample.rulebook.agents
        assert [*agents] == ["201", "202", "203", "204", "205", "206", "301", "302"]
        first = next(iter(agents.values()))
        assert (first.endpoint, first.site, first.queues) == ("PJSIP/201", "gyeongnam", ("gyeongnam", "changwon"))
        assert {(queue.wrap_up_s, queue.ring_timeout_s) for queue in sample.rulebook.queues.values()} == {(10.0, 20.0)}

    def test_speaks_every_prompt_that_callers_can_hear(self, sample: Loaded) -> None:
        assert set(sample.prompts) == {
            "welcome",
            "changwon-welcome",
            "night-welcome",
            "changwon-night-welcome",
            "waiting",
            "all-busy",
            "closed",
            "fallback-wait",
            "fallback-sorry",
            "emergency",
            "agent-loggedin",
            "agent-loggedout",
            "agent-noted",
            "agent-paused",
            "agent-ready",
            "agent-toolate",
            *(f"digit-{digit}" for digit in range(10)),
            "agent-unknown",
            "agent-missed",
            "agent-number",
            "agent-pin",
            "agent-refused",
            "agent-locked",
            "agent-taken",
            "supervise-refused",
            "supervise-nobody",
            "call-refused",
            "call-limited",
            "length-reminder",
            "length-over",
            "abusive-goodbye",
            "recording-notice",
            "recording-paused",
            "recording-resumed",
            "passport-surge",
            "switch-on",
            "switch-off",
            "switch-refused",
            "switch-unknown",
            "switch-away",
            "queue-keys",
            "callback-noted",
            "callback-agent",
            "callback-resident",
            *POSITION_PROMPTS,
            *WAIT_PROMPTS,
        }
        assert all(any("가" <= letter <= "힣" for letter in text) for text in sample.prompts.values())
        assert sample.rulebook.media(PromptName("welcome")) == "sound:callrouter/welcome"

    def test_has_switches_that_phones_at_the_province_hall_may_set(self, sample: Loaded) -> None:
        switches = sample.rulebook.switches
        site = SiteName("gyeongnam")
        assert {name: (spec.code, spec.max_s) for name, spec in switches.items()} == {
            "typhoon": ("*21", 86_400.0),
            "night-service": ("*22", 43_200.0),
            "passport-surge": ("*23", 43_200.0),
        }
        assert all(spec.phones == {(site, "PJSIP/201"), (site, "PJSIP/206")} for spec in switches.values())

    def test_leads_counselors_by_keys_to_nobody_who_is_there(self, sample: Loaded) -> None:
        rules = sample.rulebook
        keys = {code: (key.verb, key.target) for code, key in rules.call_keys.codes.items() if key.target}
        assert keys == {
            "*7": (CallVerb.CONFERENCE, "interpreters"),
            "*119": (CallVerb.TRANSFER, "fire"),
            "*112": (CallVerb.TRANSFER, "police"),
        }
        reached = rules.transfers.destinations
        assert {(one.endpoint, one.number, one.trunk) for one in reached.values()} == {
            ("PJSIP/test-interpreters@carrier", "", "carrier"),
            ("PJSIP/test-119@carrier", "", "carrier"),
            ("PJSIP/test-112@carrier", "", "carrier"),
        }, "nobody rings 119 while he tries a key"
        assert {one.name for one in reached.values() if one.emergency} == {"fire", "police"}

    def test_calls_back_by_day_who_waits_in_the_queue_of_the_province(self, sample: Loaded) -> None:
        queue = sample.rulebook.queues[QueueName("gyeongnam")]
        assert queue.call_back is not None
        assert queue.call_back.hours is not None
        assert (queue.call_back.trunk, queue.call_back.hours.name) == ("carrier", "weekday-day")
        assert [way.key for way in queue.care.keys] == ["1"]

    def test_states_the_defaults_of_the_daemon(self, sample: Loaded) -> None:
        settings = sample.settings
        site = settings.sites[SiteName("gyeongnam")]
        assert (site.ari_url, site.user, site.password) == ("http://127.0.0.1:8088", "callrouter", "geheim")
        assert (site.application, site.sounds_dir) == ("callrouter", daemon.usual_sounds_dir())
        assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)
        assert (settings.agi.host, settings.agi.port) == ("127.0.0.1", 4573)
        assert settings.agi.allow == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
        assert settings.state_dir == Path("/var/lib/callrouter")
        assert (settings.logging.level, settings.logging.format) == ("info", LogFormat.JSON)
        assert (settings.drain_s, settings.database_url) == (600.0, None)
        assert "geheim" not in repr(settings)


def test_announcements_go_where_the_asterisk_of_this_machine_looks(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "DEBIAN_SOUNDS", tmp_path / "debian")
    elsewhere = load(base, {"TEST_PASSWORD": "x"}).settings.sites[HALL]
    (tmp_path / "debian").mkdir()
    on_debian = load(base, {"TEST_PASSWORD": "x"}).settings.sites[HALL]
    assert elsewhere.sounds_dir == Path("/var/lib/asterisk/sounds/callrouter")
    assert on_debian.sounds_dir == tmp_path / "debian/callrouter"


def test_the_environment_wins_over_the_files(base: Path) -> None:
    loaded = load(
        base,
        {
            "TEST_PASSWORD": "from the file's variable",
            "CALLROUTER_ARI_PASSWORD": "stronger",
            "CALLROUTER_ARI_URL": "http://127.0.0.1:18088/",
            "CALLROUTER_ARI_USER": "lab",
            "CALLROUTER_ARI_SOUNDS_DIR": "/srv/sounds",
            "CALLROUTER_WEB_PORT": "0",
            "CALLROUTER_AGI_PORT": "14573",
            "CALLROUTER_AGI_ALLOW": "192.0.2.0/24,198.51.100.0/24",
            "CALLROUTER_STATE_DIR": "/srv/state",
            "CALLROUTER_LOGGING_FORMAT": "console",
            "CALLROUTER_SERVICE_DRAIN": "2 min",
            "CALLROUTER_LIMITS_DEAD_MAN": "5s",
            "CALLROUTER_LIMITS_MAX_CALLS": "7",
            "CALLROUTER_LIMITS_CALLS_PER_SECOND": "50",
            "CALLROUTER_LIMITS_WHEN_FULL": "busy",
            "CALLROUTER_DATABASE_URL": "postgresql://db",
        },
    )
    site = loaded.settings.sites[HALL]
    assert (site.ari_url, site.user, site.password) == ("http://127.0.0.1:18088", "lab", "stronger")
    assert site.sounds_dir == Path("/srv/sounds")
    assert (loaded.settings.web.port, loaded.settings.agi.port) == (0, 14573)
    assert loaded.settings.agi.allow == (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24"))
    assert loaded.settings.state_dir == Path("/srv/state")
    assert loaded.settings.logging.format is LogFormat.CONSOLE
    assert loaded.settings.drain_s == 120.0
    assert loaded.settings.database_url == "postgresql://db"
    assert (loaded.rulebook.limits.dead_man_s, loaded.rulebook.limits.max_calls) == (5.0, 7)
    assert (loaded.rulebook.limits.calls_per_second, loaded.rulebook.limits.when_full) == (50, WhenFull.BUSY)
    assert (loaded.rulebook.limits.connect_s, loaded.rulebook.limits.behind_s) == (5.0, 1.0)


def test_a_wrong_value_in_the_environment_is_named_by_its_variable(base: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(base, {"TEST_PASSWORD": "x", "CALLROUTER_WEB_PORT": "http", "CALLROUTER_ARI_URL": "here"})
    assert caught.value.problems == (
        '$CALLROUTER_ARI_URL:1:1: "here" is not an HTTP address; write it as http://127.0.0.1:8088',
        '$CALLROUTER_WEB_PORT:1:1: "http" is not a TCP port; write a number from 0 to 65535 (0: any free one)',
    )


def test_a_password_can_come_from_a_file(base: Path) -> None:
    (base / "ari.secret").write_text("geheim\n")
    (base / "sites.yaml").write_text("sites: {hall: {title: 도청, password_file: ari.secret}}")
    assert load(base, {}).settings.sites[HALL].password == "geheim"


@pytest.mark.parametrize("source", ["password_env: NOT_SET", "password_file: not-there"])
def test_a_secret_that_is_not_there_is_no_fault_of_the_files_but_the_daemon_cannot_run(base: Path, source: str) -> None:
    (base / "sites.yaml").write_text(f"sites: {{hall: {{title: 도청, {source}}}}}")
    loaded = load(base, {})
    assert loaded.settings.sites[HALL].password == ""
    with pytest.raises(
        ConfigError, match=r'the ARI password of site "hall" is not set; set it in .?(NOT_SET|not-there)'
    ):
        loaded.require_secrets()


def test_what_the_environment_says_of_the_only_site_is_not_taken_where_there_are_two(base: Path) -> None:
    (base / "sites.yaml").write_text(
        "sites: {hall: {title: 도청, password_env: A}, city: {title: 시청, password_env: B}}"
    )
    loaded = load(base, {"A": "a", "B": "b", "CALLROUTER_ARI_PASSWORD": "c", "CALLROUTER_ARI_URL": "http://other"})
    assert [site.password for site in loaded.settings.sites.values()] == ["a", "b"]
    assert {site.ari_url for site in loaded.settings.sites.values()} == {"http://127.0.0.1:8088"}


def test_the_version_follows_the_text_and_nothing_else(base: Path) -> None:
    environ = {"TEST_PASSWORD": "x"}
    first = load(base, environ).rulebook.hash
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert load(base, {**environ, "CALLROUTER_WEB_PORT": "1"}).rulebook.hash == first
    queues = base / "queues.yaml"
    queues.write_bytes(queues.read_bytes().replace(b"\n", b"\r\n"))
    assert load(base, environ).rulebook.hash == first
    queues.write_text(queues.read_text() + "# a word\n")
    assert load(base, environ).rulebook.hash != first


def test_sections_may_stand_in_any_file_and_be_split_over_several(base: Path) -> None:
    whole = "\n".join(path.read_text() for path in sorted(base.glob("*.yaml")))
    for path in base.glob("*.yaml"):
        path.unlink()
    (base / "everything.yml").write_text(whole)
    (base / "more.yaml").write_text(
        'agents: {"202": {name: 둘째, site: hall, endpoint: PJSIP/202, queues: main, tenant: city}}'
    )
    (base / "notes.txt").write_text("routes: []")
    assert [*load(base, {"TEST_PASSWORD": "x"}).rulebook.agents] == ["201", "202"]


def test_a_directory_without_yaml_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no YAML file here; name the right directory with --config"):
        load(tmp_path, {})


def test_every_kind_of_condition_and_step_is_compiled(base: Path) -> None:
    (base / "regions.yaml").write_text(
        """
tenants: {province: {title: 도}, city: {title: 시}}
topics: {passport: {title: 여권}}
numbering: {default_region: province, table: table.csv}
regions:
  province: {title: 경남, tenant: province}
  city: {title: 창원, tenant: city, place: 창원시, prefixes: "055777", dialed: "0552250120", trunks: city-hall}
"""
    )
    (base / "table.csv").write_text(
        "prefix,place,samples,against,confidence,note\n05588,창원시,9,0,strong,\n05511,딴곳,1,0,weak,\n"
    )
    (base / "routes.yaml").write_text(
        """
plans:
  pbx: [{dialplan: "from-internal, 200"}]
routes:
  - {id: dialed, when: {dialed: ["0559*", "110"]}, plan: pbx}
  - {id: trunk, when: {trunk: [city-hall, pstn]}, do: [{hangup: busy}]}
  - {id: region, when: {region: city}, do: [{hangup: }]}
  - {id: topic, when: {topic: passport}, do: [{announce: welcome}, {queue: main}]}
  - {id: caller, when: {caller: [mobile, foreign]}, do: [{hangup: rejected}]}
  - {id: hours, when: {calendar: late, not: {tenant: city}}, do: [{hangup: congestion}]}
  - {id: rest, do: [{queue: main, max_wait: 90}, hangup]}
"""
    )
    (base / "trunks.yaml").write_text("trunks: {city-hall: {channels: 30}, kt: {channels: 10, endpoints: [pstn]}}")
    (base / "calendars.yaml").write_text(
        """
calendars:
  day: {open: mon-fri 09:00-18:00, exceptions: {2026-11-24: [10:00-11:00], 2026-11-25: closed}}
  night: {open: [mon-thu 18:00-24:00, "fri 18:00-02:00"]}
  lunch: {open: daily 12:00-13:00}
  late: {union: [day, night], except: lunch, intersect: [week]}
  week: {open: sun-sat 00:00-24:00}
"""
    )
    loaded = load(base, {"TEST_PASSWORD": "x"})
    router = loaded.rulebook.router
    noon = datetime(2026, 11, 26, 12, 30, tzinfo=ZoneInfo("Asia/Seoul"))

    def rule(moment: datetime = noon, **facts: str) -> str:
        return router.decide(CallFacts(**{"dialed": "120", "site": HALL, **facts}), moment).rule  # type: ignore[arg-type]

    assert rule(dialed="0559990000") == "dialed"
    assert rule(trunk="pstn") == "trunk"
    assert rule(caller="0557771234") == "region"
    assert rule(caller="055-881-2345") == rule(dialed="055-225-0120") == "region"
    assert rule(topic="passport") == "topic"
    assert rule(caller="01023456789") == "caller"
    assert rule() == "rest"
    assert rule(noon.replace(hour=13)) == "hours"
    assert rule(noon.replace(day=24, hour=9)) == "rest"
    assert rule(noon.replace(day=28, hour=1)) == "hours"
    dialed = router.decide(CallFacts("110", HALL), noon)
    assert (dialed.action, dialed.target) == (Action.DIALPLAN, "from-internal,200,1")
    trunk = router.decide(CallFacts("120", HALL, trunk="city-hall"), noon)
    assert (trunk.region_source, trunk.region) == (RegionSource.TRUNK, "city")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prefix,region\n05522,창원시\n", "table.csv:1:1: has other columns; write the header prefix,place,samples,"),
        (
            "prefix,place,samples,against,confidence,note\n05522,창원시,1,0,sure,\n",
            'table.csv:2:1: unknown confidence "sure"; write one of: certain, strong, fair, weak',
        ),
    ],
)
def test_a_faulty_table_of_exchanges_is_refused(base: Path, text: str, problem: str) -> None:
    (base / "table.csv").write_text(text)
    regions = base / "regions.yaml"
    regions.write_text(regions.read_text().replace("default_region:", "table: table.csv\n  default_region:"))
    with pytest.raises(ConfigError) as caught:
        load(base, {"TEST_PASSWORD": "x"})
    assert caught.value.problems[0].startswith(problem)


def test_a_limit_that_is_too_little_is_refused_in_the_environment_too(base: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(base, {"TEST_PASSWORD": "x", "CALLROUTER_LIMITS_DEAD_MAN": "0s"})
    (problem,) = caught.value.problems
    assert problem.startswith("$CALLROUTER_LIMITS_DEAD_MAN:1:1: dead_man of 0 s is too little: ")
    assert problem.endswith("; write 2 s or more")


def test_every_limit_has_a_least_that_its_default_keeps() -> None:
    values = {field.name.removesuffix("_s"): getattr(Limits(), field.name) for field in fields(Limits)}
    defaults = {key: value for key, value in values.items() if not isinstance(value, WhenFull)}
    assert LEAST.keys() == defaults.keys()
    assert all(defaults[key] >= least for key, (least, _) in LEAST.items())


def test_how_long_a_prompt_may_last_is_told_by_its_longest_text(tmp_path: Path) -> None:
    folder = shutil.copytree(BASE, tmp_path / "config")
    written = (folder / "prompts.yaml").read_text(encoding="utf-8")
    longer = '  long: {text: "열 글자의 한국말.", languages: {en: "This is what it says in English."}}\n'
    (folder / "prompts.yaml").write_text(written.rstrip() + "\n" + longer, encoding="utf-8")
    rules = load(folder, {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook
    assert rules.lasts_s(PromptName("long")) == pytest.approx(2.0 + 0.3 * 32)
    assert rules.lasts_s(PromptName("nobody-wrote-it")) == 0.0
