"""Identities. Each is a string on the wire and in the database; the types keep them from being mixed up."""

from typing import NewType

CallId = NewType("CallId", str)
"""One resident's call, from dialling to hanging up: a UUID version 7 (RFC 9562) in its canonical text form."""

ChannelId = NewType("ChannelId", str)
"""Asterisk's unique id of a channel; of our own legs, one that :mod:`callrouter.core.naming` made."""

BridgeId = NewType("BridgeId", str)
PlaybackId = NewType("PlaybackId", str)
RecordingId = NewType("RecordingId", str)
"""The name of a message in Asterisk's store of recordings."""

AgentId = NewType("AgentId", str)
"""A counselor, as named in ``agents.yaml``."""

QueueName = NewType("QueueName", str)
BoxName = NewType("BoxName", str)
"""Where messages of callers are kept: a box of ``voicemail:``."""

TrunkName = NewType("TrunkName", str)
"""A trunk group."""

SiteName = NewType("SiteName", str)
"""One Asterisk server."""

DestinationName = NewType("DestinationName", str)
"""Somebody outside the queues who can be called: a duty desk, a duty mobile, a situation room."""

RuleId = NewType("RuleId", str)
PromptName = NewType("PromptName", str)
TenantName = NewType("TenantName", str)
"""Whose call it is: the province, a city or a county."""

RegionName = NewType("RegionName", str)
CalendarName = NewType("CalendarName", str)
TopicName = NewType("TopicName", str)
SwitchName = NewType("SwitchName", str)
SupervisorName = NewType("SupervisorName", str)
SkillName = NewType("SkillName", str)
"""What a counselor can do: a language, a topic, or anything else that somebody gives a name."""

AccountName = NewType("AccountName", str)
"""Somebody whom page and API know, as named in ``accounts.yaml``."""
