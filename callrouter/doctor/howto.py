"""How an Asterisk that is there already takes callrouter in."""

from typing import Final

HOWTO: Final = """\
How an Asterisk that you have takes callrouter in
=================================================

1. The dialplan, by one include. Copy dialplan/callrouter.conf to /etc/asterisk/callrouter.conf.

   Asterisk: in /etc/asterisk/extensions.conf, after your own contexts:
       #include callrouter.conf
   and in its [globals], whom to ring while callrouter is away:
       CALLROUTER_FALLBACK_PHONES=PJSIP/201&PJSIP/202

   FreePBX: the #include line goes into /etc/asterisk/extensions_custom.conf, which FreePBX never overwrites, and the
   global into globals_custom.conf. Nothing that FreePBX generates is edited.

   By your rules instead of one ring group, after each change of them:
       callrouter dialplan --out /etc/asterisk/callrouter-survival.conf && asterisk -rx "dialplan reload"

2. The way in. Give the trunk's endpoint in pjsip.conf  context=callrouter-inbound,  or send one number from the context
   that it has:
       exten => 120,1,Goto(callrouter-inbound,${EXTEN},1)

   FreePBX: Admin > Custom Destinations, Target  callrouter-inbound,120,1;  then Connectivity > Inbound Routes, DID 120,
   with this destination.

   The phones that may set switches (switches:) need the codes in the context that they have:
       include => callrouter-switches
   For counselors to consult a colleague on a second line and pass the caller on with the phone's transfer key, also
       include => callrouter-lines
   before the numbers that phones dial, whose own context is named in [globals]:  CALLROUTER_OWN_CALLS=office
   FreePBX: under [from-internal-custom] in extensions_custom.conf; CALLROUTER_OWN_CALLS=from-internal-additional

3. The REST interface. In http.conf, [general]:
       enabled=yes
       bindaddr=127.0.0.1
   In ari.conf (FreePBX: ari_additional_custom.conf for the user; the switches are in Settings > Advanced Settings):
       [general]
       enabled=yes

       [callrouter]
       type=user
       read_only=no
       password=A-LONG-RANDOM-PASSWORD
   The same password goes into $CALLROUTER_ARI_PASSWORD of the daemon (callrouter.yaml, password_env).

   For callers to wait while the daemon is restarted, Asterisk (22.5, 20.15 or newer) can dial it: connection: outbound
   in callrouter.yaml. In ari.conf, besides:
       [callrouter-daemon]
       type=outbound_websocket
       websocket_client_id=callrouter-daemon
       apps=callrouter
       local_ari_user=callrouter
   In websocket_client.conf, with the site's name at the end of uri:
       [callrouter-daemon]
       type=websocket_client
       connection_type=persistent
       uri=ws://127.0.0.1:4574/gyeongnam
       protocols=ari
       username=callrouter
       password=A-LONG-RANDOM-PASSWORD
       reconnect_interval=250
   In [globals] of extensions.conf, CALLROUTER_WAIT_S=20: how long they wait. Then restart Asterisk.

4. Announcements and music. Asterisk looks for sounds below its data directory: /usr/share/asterisk in Debian's package,
   /var/lib/asterisk elsewhere. To see it:
       asterisk -rx "core show settings" | grep "Data directory"
   sounds_dir in callrouter.yaml, if it is written, must be DATA-DIRECTORY/sounds/callrouter. Then:
       callrouter prompts --music /var/lib/asterisk/moh/callrouter
   Asterisk's user must be able to read them. In musiconhold.conf, the folder in full: directory=moh means the data
   directory, too.
       [default]
       mode=files
       directory=/var/lib/asterisk/moh/callrouter

5. Take it over, without a restart and without ending a call:
       asterisk -rx "module reload http"; asterisk -rx "module reload res_ari.so"
       asterisk -rx "dialplan reload";    asterisk -rx "moh reload"

6. Look:
       callrouter doctor
       asterisk -rx "dialplan show callrouter-inbound"

To let your own dialplan ask callrouter where a call belongs, and keep Dial() and Queue() as they are, see
dialplan/agi-sample.conf: AGI(agi://127.0.0.1:4573/route).

To take it out again, remove the #include line and the way in, and reload the dialplan.
"""
