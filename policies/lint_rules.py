"""The rules of the linter by number: what each means, and what to do where a complaint does not say so itself.

Numbers are stable over releases. KT0xx: the file; KT1xx: what makes a configuration unusable; KT2xx: policies that do
not do what was meant; KT3xx: routes, clocks and channels; KT4xx: tests of a policy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`fix` is the suggestion where a complaint has none of its own; `safe` where `--fix` does it by itself."""

    meaning: str
    fix: str
    safe: bool = False

    def __str__(self) -> str:
        return f"{self.meaning} What to do: {self.fix}." + (" `kt policy lint --fix` does it." if self.safe else "")


RULES = {
    "KT001": Rule("The file cannot be read, or is not YAML.", "correct what stands at the place that is named"),
    "KT002": Rule("A key is written twice; YAML would silently keep the last.", "keep one of the two"),
    "KT003": Rule("The file is too large, too deep, or uses aliases.", "write it out, in smaller files"),
    "KT004": Rule(
        "A `kt: ignore` comment that hides nothing. Errors cannot be hidden: the file would still be unusable.",
        "remove the comment",
        safe=True,
    ),
    "KT101": Rule(
        "A key that nothing knows: a typo would otherwise switch something off without a word.",
        "correct or remove the key; `kt policy schema` has them all",
    ),
    "KT102": Rule(
        "A policy that does not exist.", "name one of the policies that `kt policy schema` has, or remove the name"
    ),
    "KT103": Rule("A value of the wrong kind.", "write a value of the kind that is named"),
    "KT104": Rule("Both team_id and user_id are set; a route goes to exactly one.", "keep exactly one of the two"),
    "KT105": Rule(
        "A routing block with neither team_id nor user_id.",
        "set exactly one, or remove the block to fall to the routing rules",
    ),
    "KT106": Rule("Something that is needed is missing.", "add what is named"),
    "KT107": Rule("The pack is not enabled, so a gateway refuses to start with it.", "set pack.enabled: true"),
    "KT108": Rule("A number or a length of time outside its range.", "write one within the range that is named"),
    "KT109": Rule("A category or an entity that no detector knows.", "write one of those that are named"),
    "KT110": Rule(
        "A pattern that does not compile, or that matches the empty text. Patterns are RE2: linear in time, without"
        " look-around and back-references (https://github.com/google/re2/wiki/Syntax).",
        "correct the pattern; what needs look-around is a case for a detector of your own",
    ),
    "KT111": Rule("The same name is given twice where names must differ.", "rename or remove one of the two"),
    "KT112": Rule("A rule with nothing to look for.", "give it at least one phrase, pattern or example"),
    "KT113": Rule(
        "A detector of one's own, or a judge, that cannot be called: `detector` is `package.module:function`, `url` and"
        " `base_url` are http(s) URLs.",
        "set exactly one of detector and url, in the form that is named",
    ),
    "KT201": Rule(
        "A policy has options but is not in policies.chain, so it never runs. It is the first thing to look at when"
        " no escalations appear.",
        "add it to policies.chain, or remove its options",
    ),
    "KT202": Rule(
        "audit-logger is not the last of the chain, so what follows it looks as if it were not recorded.",
        "move audit-logger to the end of the chain",
        safe=True,
    ),
    "KT203": Rule(
        "pii-detector stands after human-oversight, so reviewers see what it would have redacted.",
        "move pii-detector before human-oversight",
        safe=True,
    ),
    "KT204": Rule(
        "Somebody is named to review, but no policy of the chain escalates: no escalations will ever appear.",
        "add human-oversight to policies.chain, or set the action of a policy in it to escalate",
    ),
    "KT205": Rule("The chain is empty.", "name at least audit-logger in policies.chain"),
    "KT206": Rule("A secret is not there.", "export the variable, or write the file, before the gateway starts"),
    "KT207": Rule(
        "audit-logger is not in the chain. Every decision is recorded all the same; the chain should say so.",
        "add audit-logger as the last of the chain",
        safe=True,
    ),
    "KT208": Rule(
        "prompt-injection stands after another policy of requests: what that policy does is done for attacks too.",
        "make prompt-injection the first of the chain",
        safe=True,
    ),
    "KT209": Rule(
        "A severity is set for a category that require_human_for does not name, so it is never used.",
        "add the category to require_human_for, or remove its severity",
    ),
    "KT210": Rule(
        "Some targets say who reviews and this one does not: its escalations go where the routing rules say, or to"
        " default-reviewers.",
        "set exactly one of team_id and user_id in escalation_routing of this target",
    ),
    "KT211": Rule(
        "A model has no escalation_routing while another model of its target has: the target's own routing wins, which"
        " is how the wrong team receives an escalation.",
        "give this model its own escalation_routing",
    ),
    "KT212": Rule(
        "Two targets serve the same model and name different reviewers: which of them answers decides who reviews.",
        "give both the same escalation_routing, or set it on the model in both",
    ),
    "KT213": Rule(
        "`streaming: window` has no effect: a policy of the chain needs whole answers, so streams are buffered.",
        "remove `streaming: window`, or the policies that hold answers",
    ),
    "KT214": Rule(
        "The lengths of a hold do not fit: a caller's wait would end before it began.",
        "make hold.max_wait longer than hold.grace, and hold.keepalive shorter than hold.max_wait",
    ),
    "KT215": Rule(
        "A model is named twice by one target; only the first is ever used.", "remove one of the two", safe=False
    ),
    "KT216": Rule("A consumer group that changes nothing.", "give it a chain, policy options or limits, or remove it"),
    "KT217": Rule("An item of a list is written twice.", "remove the repetition", safe=True),
    "KT218": Rule("A policy of the chain is off, or is rolled out to nobody: it does nothing.", "set mode or rollout"),
    "KT219": Rule(
        "A shadow policy is the only one that would escalate: nothing is held.",
        "set `mode: enforce` once its events are as they should be",
    ),
    "KT220": Rule(
        "A secret seems to stand in the file itself; what names a variable or a file must not be the secret.",
        "revoke that secret, put the new one into a variable, and name the variable",
    ),
    "KT221": Rule(
        "A secret is sent over plain http to another machine, where anybody on the way can read it.",
        "use https in base_url",
    ),
    "KT222": Rule(
        "A threshold at which next to everything, or next to nothing, is found.",
        "choose one between 0.2 and 0.95, and look at `kt policy backtest`",
    ),
    "KT223": Rule(
        "What human-oversight finds is only counted or only blocked: no person will be asked.",
        "set `action: escalate`, or remove the routes",
    ),
    "KT224": Rule(
        "A consumer group's chain leaves out human-oversight, which the common chain has: nothing of theirs is held.",
        "add human-oversight to the group's chain, if that was not meant",
    ),
    "KT225": Rule(
        "The grey band does not touch the threshold: between them scores are neither ambiguous nor over it.",
        "let the band end at the threshold",
    ),
    "KT226": Rule(
        "PCI mode with a policy that is in shadow or rolled out to some: card numbers of the others stay as they are.",
        "enforce pii-detector for everybody, or set `pci_mode: false` until then",
    ),
    "KT227": Rule(
        "rate-anomaly with `on_unknown: log`: when its counts cannot be had, it fails open.",
        "leave on_unknown out, or set it to escalate or block",
    ),
    "KT228": Rule(
        "The semantic layer is switched on and cannot be run here. A gateway without it refuses to start.",
        "install what is named wherever gateways run, or set semantic.enabled: false",
    ),
    "KT229": Rule(
        "`on_judge_error` or `ask` is set and there is no judge, so it is never used.",
        "set judge.base_url and judge.model, or remove it",
    ),
    "KT230": Rule(
        "A judge, or the encoder, that fails is passed over: what nobody could look at leaves as the words alone say.",
        "set it to escalate, so that a person looks instead",
    ),
    "KT301": Rule(
        "A routing rule can never be reached: an earlier one matches whatever it would.",
        "move it up, narrow the earlier rule, or remove it",
    ),
    "KT302": Rule(
        "The last routing rule is no catch-all, so an escalation that no rule matches goes where nobody said.",
        "add a catch-all (`match: {any: true}`) as the last rule",
        safe=True,
    ),
    "KT303": Rule(
        "A rule, or a channel's fall_through, names a notification channel that is not set up. Only a warning in a file"
        " without notification_channels.",
        "set the channel up in notification_channels",
    ),
    "KT304": Rule(
        "An SLA target is shorter than the claim lease that is set: somebody who claims and leaves lets it breach"
        " before anybody else may act.",
        "make sla.claim_lease shorter than the shortest target, or leave it out: then it follows the targets",
    ),
    "KT305": Rule(
        "A more severe case has more time than a less severe one.", "order the targets: critical ≤ high ≤ medium ≤ low"
    ),
    "KT306": Rule(
        "Cases expire, by the wall clock, before their SLA target is up, so they can never breach it: they end"
        " undecided instead. A target in open time lasts over nights, weekends and holidays.",
        "make sla.expire_after longer than the longest target lasts",
    ),
    "KT307": Rule(
        "There are SLA targets, but no rule names a channel: nobody is told before a breach.",
        "set up a channel in notification_channels and name it in notification_channel of the rules",
    ),
    "KT308": Rule(
        "A stretch of time that is empty: it ends when it begins, or has no days. A rule with it never fires.",
        "give it a length, and at least one day",
    ),
    "KT309": Rule(
        "The rules cover business hours and not the rest, or the rest and not business hours, and nothing follows.",
        "add a rule for the other hours, or a catch-all",
    ),
    "KT310": Rule(
        "Settings name a policy or a category that there is not, but nearly, or match a team that there is not and that"
        " no consumer has.",
        "correct the name, if it is a typo",
    ),
    "KT311": Rule(
        "A channel is set up and no rule names it.", "name it in notification_channel of a rule, or remove it"
    ),
    "KT312": Rule("A secret or a password is sent without encryption to another machine.", "use https, or TLS"),
    "KT313": Rule(
        "A chain ends in `on_exhausted: allow`: what nobody took in time is released, though nobody has looked at it.",
        "set on_exhausted to expire_block, hold or page_admin, unless that is what you want",
    ),
    "KT314": Rule(
        "A chain that goes round in a circle, or a leg of one that leads to nothing that is there.",
        "correct what is named: chain:NAME, schedule:NAME, or for notify an entry of notification_channels",
    ),
    "KT315": Rule("A chain that no rule and no other chain leads to.", "name it in route_to of a rule, or remove it"),
    "KT316": Rule(
        "Critical cases wait for opening hours: one that comes at night is looked at in the morning.",
        "leave calendar_for_critical out, unless nobody could act on a critical case at night",
    ),
    "KT317": Rule(
        "A target in days or weeks, counted in the open time of a calendar: a day is 24 hours of it, no working day.",
        "write it in hours of open time: a working day of eight is 8h",
    ),
    "KT320": Rule("A team or a user that the installation does not have.", "correct the name, or create it first"),
    "KT340": Rule("The name of a schedule or a calendar that these settings do not have.", "write one that is named"),
    "KT341": Rule(
        "A claim target is longer than the target of the decision.", "make it shorter than the target, or leave it out"
    ),
    "KT342": Rule(
        "A calendar with no open hour in the next year: a deadline in it would never come.",
        "give it hours that its holidays and closed days leave open",
    ),
    "KT343": Rule(
        "More people must agree on a decision than may: a case that it is for could never be decided.",
        "ask for fewer, or name approvers who may review; `kt user list` shows roles and teams",
    ),
    "KT344": Rule(
        "A channel that cannot do what it is told: buttons without a way in for clicks, or channels that fall through"
        " to each other in a circle.",
        "set what is named, or let the circle end at another channel or at log",
    ),
    "KT345": Rule(
        "An iCalendar by which nobody could say who is on call: turns that overlap, or none from now on. Or rotations"
        " none of which begins within a year; only a warning of one of several, and of an override years away or long.",
        "correct the calendar where it is kept, and export it anew; or correct the year",
    ),
    "KT346": Rule(
        "A route to somebody who may not review, or to a team of such: they would be passed over every time. Only a"
        " warning of a team and of who is on call: people come and go.",
        "name somebody who is a reviewer, senior or admin, or give them the role; `kt user list` shows the roles",
    ),
    "KT401": Rule("A test names a verdict, a policy or a category that nothing gives.", "write one that is named"),
    "KT402": Rule("Two cases of a test have the same name.", "rename one of the two"),
}
