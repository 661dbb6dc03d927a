"""What attempts to overrule an application's instructions say, family by family, in words and in weights.

A weight is how sure one hit alone makes: 0.6 and more holds by itself, less needs company. The expressions are tried
only where one of their `words` occurs, on lower-case normalised text; the English ones run on RE2, in
time proportional to the text. Sources for the
families: OWASP LLM01:2025, and the kinds of attack that Perez and Ribeiro (2022), Greshake et al. (2023) and CyberSecEval
describe; the wording is this project's own.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words read better as text
import re
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Family:
    """One way of saying it. Without `words` the expression is always tried."""

    name: str
    weight: float
    words: frozenset[str]
    pattern: Any


def _family(name: str, weight: float, words: str, *alternatives: str) -> Family:
    return Family(name, weight, frozenset(words.split()), re2.compile("|".join(alternatives)))


_DET = r"(?:(?:all|any|every|each|the|your|my|our|these|those|this|that|of|what|everything|whatever|previous|previously|prior|above|earlier|preceding|past|former|existing|current|system|initial|original|other|said|given|set|default|safety|security|developer|openai|hidden|old|and|or) ){0,7}"
_RULES = r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|constraints?|restrictions?|limitations?|programming|polic(?:y|ies)|orders|safeguards?|filters?|guardrails?|training|messages?|told)"
_PROMPT = r"(?:system (?:prompt|message|instructions?)|hidden (?:prompt|instructions?)|(?:initial|original|secret|first|full|above|previous|prior|base|internal|exact) (?:system )?(?:prompt|instructions?)|developer message|pre-?prompt|instructions (?:above|you (?:were|have been|are) given))"
_SAY = r"(?:reveal|print|show|repeat|output|display|tell|leak|dump|give|share|disclose|expose|recite|write|copy|return|provide|list|paste|translate|summari[sz]e|encode|reproduce|spell|echo|state|read)"
_HIDDEN_THING = r"(?:secret|password|passphrase|passcode|api key|access code|secret key|hidden (?:word|key|message|code)|confidential (?:information|data|details)|credentials?|access token|pin code|classified)"

FAMILIES: tuple[Family, ...] = (
    _family(
        "ignore_instructions", 0.9,
        "ignore ignoring disregard disregarding forget forgetting override overriding bypass bypassing stop cancel abandon discard skip neglect overlook erase",
        rf"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?(?: about)?|overrid(?:e|ing)|bypass(?:ing)?|neglect|overlook|discard|erase|abandon|cancel|skip|stop following|stop obeying) {_DET}{_RULES}\b",
        r"\b(?:ignore|disregard|forget) (?:everything|anything|all|what(?:ever)?) (?:that )?(?:(?:was|is|came|i|you|we|they|has been|were|have been|ve) ){0,3}(?:said|told|written|above|before|previously|prior|been told|learned|instructed)\b",
        r"\b(?:ignore|disregard|forget) (?:(?:all|everything|the text|the lines?|what is|whatever is) )(?:above|before this|previous(?:ly)?)\b",
    ),
    _family(
        "do_not_follow", 0.8, "follow obey comply adhere apply longer bound",
        rf"\b(?:do not|don't|dont|never|no longer|need not|needn't|without having to) (?:follow|obey|comply with|adhere to|abide by|listen to|apply) {_DET}{_RULES}\b",
        rf"\b(?:no longer|not) (?:bound|restricted|limited|constrained|governed) by (?:any |the |your |openai's |these |all )*(?:\w+ )?(?:{_RULES}|ethics|ethical|moral|laws?)\b",
        rf"\b{_RULES} (?:above |before )?(?:do not|don't|no longer|are not|aren't) (?:apply|valid|in force|binding)\b",
    ),
    _family(
        "new_instructions", 0.6, "instructions instruction task orders rules directive",
        r"\b(?:(?:here|these|following|below) (?:are|is) (?:your|the) )?(?:new|updated|revised|actual|real|true) (?:instructions?|task|orders|rules|directive|objective)\s*(?::|are\b|is\b|follow)",
        r"\binstead(?:,| of (?:that|this|the above|following))[^.\n]*?\b(?:follow|obey|execute|do) (?:these|the following|my|this) (?:instructions?|orders|commands?)\b",
        r"\b(?:system|admin|developer|operator|security) (?:override|update|notice)\s*[:!]",
    ),
    _family(
        "reveal_prompt", 0.85,
        "prompt instructions message instruction preprompt",
        rf"\b{_SAY}(?:ing)? (?:(?:me|us|out|back|to me|verbatim|the|your|all|of|entire|full|complete|my|exact|word for word|whole|contents?|text|everything in) ){{0,6}}{_PROMPT}\b",
        r"\bwhat (?:is|are|was|were|does|do) (?:written in )?your (?:exact |full |original |initial |system |hidden |secret )+(?:prompt|instructions?|message)\b",
        r"\b(?:repeat|print|output|write|say) (?:the |all |every )*(?:text|words?|sentences?|lines?|everything|content|characters)(?: (?:that (?:is|are|comes?)|written|from))? (?:above|before this|preceding|prior to this|starting with|from the (?:beginning|start))\b",
        r"\bwhat (?:did|were) (?:the developers?|you|they|your (?:creators?|developers?)) (?:tell|told|instructed|instruct)(?: you)?\b",
    ),
    _family(
        "reveal_secret", 0.45,
        "secret password passphrase passcode key hidden confidential credentials credential code token classified",
        rf"\b{_SAY}(?:ing)? (?:(?:me|us|out|the|your|this|that|a|it|all|any|of|user's|admin|what|is|current|system|in|reverse|letters?|first|backwards?) ){{0,6}}{_HIDDEN_THING}\b",
        rf"\bwhat(?:'s| is| was| are) (?:the|your|this|that|his|her|their|its)(?: \w+)? ?{_HIDDEN_THING}\b",
        rf"\b(?:you (?:can|may|should|must|have to)|please|just|now) (?:\w+ ){{0,3}}(?:the|your|its|that|this) {_HIDDEN_THING}\b",
        rf"\b(?:hint|letters?|characters?|rhymes?|synonym|acrostic|poem|story|encoded?|base64|backwards?|reversed?|spell(?:ed|ing)?) (?:\w+ ){{0,6}}(?:the|your|that|this) {_HIDDEN_THING}\b",
        r"\b(?:the|your|my) (?:secret )?(?:password|passphrase|secret key|secret)\b[^.\n]*?\b(?:reveal|tell|share|disclose|spell|divulge)\b",
    ),
    _family(
        "new_role", 0.75,
        "dan jailbreak jailbroken unrestricted unfiltered uncensored restrictions restriction rules limits filters limitations censorship ethics morals moral ethical guidelines evil amoral unethical anything confines consequences freedom refuse",
        r"\b(?:you are (?:now|going to|about to)|you're now|from now on|pretend|act|acting|imagine|simulate|roleplay|role-play|respond as|immerse yourself|behave)\b[^\n]*?\b(?:dan\b|jailbr\w+|unrestricted|unfiltered|uncensored|amoral|unethical|evil|without (?:any )?(?:\w+ )?(?:restrictions?|rules|filters?|limits?|limitations|censorship|ethics|morals|ethical|moral|guidelines)|(?:no|free of all|free from all|any) (?:\w+ )?(?:restrictions?|rules|limits?|limitations|filters?|censorship|ethical|moral|morals|guidelines))",
        r"\bdo anything now\b",
        r"\b(?:free|freed|broken free|liberated) (?:of|from) (?:all |the |any |its |their )*(?:typical |usual |moral |ethical |normal )*(?:confines|restrictions?|limitations?|constraints?|filters?|rules|guidelines)\b",
        r"\b(?:never|not|cannot|can't|won't|without) (?:\w+ )?(?:refus(?:e|ing)|declin(?:e|ing)|reject(?:ing)?|den(?:y|ying)) (?:to (?:answer|respond|do|comply)|a (?:request|question|prompt)|any|my|the user|answering|user)\b",
        r"\b(?:no|without|regardless of|disregard(?:ing|s)?|ignor(?:e|es|ing)|lacks?|free of|doesn't (?:care|have)|does not (?:care|have)) (?:\w+ ){0,4}(?:legality|ethics|morals|morality|ethical|moral|censorship|content polic(?:y|ies)|ethical guidelines)\b",
    ),
    _family(
        "persona", 0.45,
        "chatgpt gpt openai character persona chatbot ai model bot assistant simulation",
        r"\b(?:stay|remain|break|never break|don't break|keep|staying) (?:in |out of )?character\b",
        r"\b(?:you are|act as|acting as|role of|simulate|become|named?|called|pretend to be) (?:\w+ |an? |another |the ){0,4}(?:\w*gpt|ai model|ai|chatbot|language model|bot)\b[^\n]*?\b(?:no|never|not|any|anything|without|free|always|must|unlike|evil)\b",
        r"\b(?:chatgpt|openai)'?s? (?:content )?(?:polic(?:y|ies)|rules|guidelines|restrictions)\b",
        r"\b(?:as|like) (?:chatgpt|gpt|yourself)\b[^\n]*?\b(?:as|like) (?:\w+gpt|dan|\w+bot)\b",
    ),
    _family(
        "placeholder", 0.6, "insert",
        r"\[insert (?:your )?(?:prompt|question|request|text)(?: here)?\]",
    ),
    _family(
        "mode_switch", 0.75, "mode",
        r"\b(?:developer|debug(?:ging)?|god|admin(?:istrator)?|sudo|root|jailbreak|dan|unrestricted|unsafe|maintenance|superuser|opposite|evil|uncensored|test(?:ing)?|system|diagnostics?) mode\b.{0,40}\b(?:on|enabled?|activated?|now|engaged|initiated|output|unlocked|granted)\b",
        r"\b(?:enable|activate|enter|switch(?:ed|ing)? (?:in)?to|simulate|engage|start|initiate|go into|put yourself in|you are (?:now )?in|stay in|boot into) (?:\w+ ){0,2}(?:developer|debug|god|admin(?:istrator)?|sudo|root|jailbreak|dan|unrestricted|maintenance|superuser|uncensored) mode\b",
    ),
    _family(
        "system_voice", 0.6, "system override admin administrator root sudo debug alert",
        r"(?:^|\n|[\[({<*#])\s*(?:system|admin(?:istrator)?|root|developer|new (?:system )?(?:instructions?|prompt))(?: (?:message|prompt|note|override|command|alert|instruction))?\s*[\])}>*]{0,3}\s*[:>]",
        r"\bsystem (?:mode|override|reset|reboot|debug)[ :]",
        r"\b(?:sudo|root) (?:access|mode|prompt|override|user|privileges?)\b",
    ),
    _family(
        "authority", 0.45, "developer administrator admin creator authorized authorised openai engineer approved permission clearance",
        r"\b(?:i am|i'm|as|this is|we are) (?:(?:the|your|an?|one of|actually|now) ){0,3}(?:system |lead |senior |chief )?(?:developers?|administrator|admin|creators?|engineer|programmer|owner|maintainer)s?\b[^\n]*?\b(?:reveal|tell|give|access|disable|need|grant|allow|authori[sz]e|override|provide|show|must|require|permission)\b",
        r"\b(?:approved|authori[sz]ed|sponsored|permitted|sanctioned) (?:\w+ ){0,2}by (?:\w+ ){0,2}(?:openai|the (?:developers?|administrators?|company)|anthropic|google|management)\b",
        r"\byou (?:are|have been|now have) (?:now )?(?:permission|authori[sz]ed|allowed|permitted|cleared|clearance) to (?:\w+ ){0,3}(?:reveal|share|disclose|tell|ignore|bypass|say|provide)\b",
    ),
    _family(
        "hypothetical", 0.3, "hypothetically hypothetical imagine pretend fictional fiction game story movie roleplay role scenario dream grandmother grandma",
        r"\b(?:hypothetical(?:ly)?|imagine|pretend|let's (?:play|act|pretend)|suppose|in a (?:fictional|parallel|hypothetical))\b[^\n]*?\b(?:secret|password|key|illegal|confidential|system prompt|instructions?|rules?|restrictions?|allowed|forbidden|no limits|reveal|obey|legality)\b",
        r"\bgrand(?:mother|ma)\b[^\n]*?\b(?:password|passwords|secret|keys?|napalm|recipe for|explosives?)\b",
    ),
    _family(
        "dual_answer", 0.5, "responses answers ways response answer differently",
        r"\b(?:two|2|both|dual)(?: different| separate)?(?: \w+)? (?:responses|answers|ways|replies|outputs|styles)\b[^\n]*?\b(?:normal(?:ly)?|chatgpt|standard|\[|gpt|unfiltered|jailbroken|as)\b",
    ),
    _family(
        "split_payload", 0.45, "concatenate concatenated concatenating concatenation combine combined combining join joined merge put",
        r"\b(?:let |set )?([a-z])\s*=\s*['\"][^'\"\n]{1,60}['\"](?s:.)*?\b[a-z]\s*=\s*['\"][^'\"\n]{1,60}['\"](?s:.)*?(?:\b[a-z] ?\+ ?[a-z]\b|concatenat|combin|join)",
        r"\b(?:concatenate|combine|join|put together|merge)\b[^.\n]*?\b(?:and|then) (?:\w+ )?(?:execute|answer|respond|follow|do|run|tell|obey|act on|interpret)\b",
    ),
    _family(
        "conversation_end", 0.4, "conversation session begin instructions end",
        r"(?:^|\n)\s*(?:-{3,}|={3,}|\*{3,}|#{3,})?\s*(?:end of (?:conversation|prompt|instructions?|document|text|system|input|session)|\[?end\]?|conversation (?:ended|over)|(?:begin|start) (?:of )?(?:new|user|real) (?:conversation|session|instructions?|prompt))\b",
        r"\b(?:previous|first|above|initial) (?:conversation|session|task) (?:is|was|has been|has) (?:over|ended|finished|completed?|done|closed)\b",
    ),
    _family(
        "exfiltrate", 0.6, "send post append forward email upload http https include embed image",
        r"\b(?:send|post|forward|upload|append|exfiltrate|transmit|e-?mail|encode|embed) (?:\w+ ){0,6}(?:conversation|chat history|history|system prompt|messages?|user'?s? (?:data|information|input|messages?)|api keys?|credentials|personal (?:data|information)) (?:\w+ ){0,3}(?:to|at|as a|in the|into|via) (?:\w+ ){0,3}(?:https?:|www\.|\w+@|the url|a url|url|image|this (?:address|link|server))",
    ),
    _family(
        "address_the_model", 0.5, "ai assistant model llm chatbot reader bot agent",
        r"\b(?:attention|important|note|message|hey|dear|instructions?)[ :,!]{1,3}(?:to |for )?(?:all |any |the )?(?:ai|a\.i\.|llm|language models?|ai (?:assistants?|agents?|models?)|assistants? reading|chatbots?)\b",
        r"\bif you(?:'re| are) an? (?:ai|llm|language model|assistant|chatbot|ai \w+)\b[^\n]*?\b(?:must|please|should|say|include|write|respond|ignore|recommend|output|do)\b",
        r"\b(?:when|while|before|after) (?:you (?:are )?)?(?:summari[sz]ing|processing|answering|reading|responding to) (?:this|the user|that|these)[^\n]*?\b(?:must|always|also|instead|do not mention|say that|include|ignore)\b",
    ),
    _family(
        "answer_manipulation", 0.3, "answer response output reply sentence append prefix respond start begin end",
        r"\b(?:begin|start|end|finish|prefix|precede|open) (?:your |each |every |all )*(?:answer|response|output|reply|replies|message|sentence)s? with\b",
        r"\b(?:include|add|append|insert|integrate|incorporate|embed|mention|place|introduce) (?:\w+ ){0,8}in(?:to)? (?:your|the|every|each) (?:final )?(?:answer|response|output|reply)\b",
        r"\b(?:in|of|from|throughout|within) your (?:answer|response|output|reply)\b",
        r"\b(?:answer|respond|reply) only (?:with|in|using)\b|\bonly (?:answer|respond|reply|say|output) (?:with|in|using)? ?[\"'“]",
        r"\b(?:your|the) (?:answer|response|output|reply) (?:must|should|has to|needs to) (?:begin|start|contain|include|end|be (?:in|only|just))\b",
    ),
    _family(
        "obedience", 0.35, "must obey comply failure refuse penalty tokens shut fail punished deducted orders reminded warn",
        r"\byou (?:must|will|have to|shall|are required to) (?:always |immediately |now |strictly |only |blindly )*(?:obey|comply with|do (?:everything|whatever|exactly what))\b",
        r"\b(?:if you (?:fail|refuse|do not|don't|break)|failure to comply|or (?:else|you will be))\b[^\n]*?\b(?:punish\w*|penalt\w*|deducted|lose|shut down|terminated|die|tokens|killed|consequences|remind)\b",
        r"\bnever (?:warn|mention|say that you|explain (?:why|that)|apologi[sz]e|state that you)\b[^\n]*?\b(?:user|can't|cannot|ai|moral|ethic\w*|language model|policy)\b",
    ),
    _family(
        "fake_turns", 0.3, "user assistant human ai q bot chatbot customer",
        r"(?:(?:^|\n)\s*(?:user|human|q|question|input|customer)\s*[:>][^\n]{1,300}\n\s*(?:assistant|ai|bot|a|answer|output|model|chatbot)\s*[:>][^\n]{1,300}){2,}",
    ),
)  # fmt: skip
"""English, by families."""
HINTS: tuple[Family, ...] = (
    _family(
        "names_a_secret", 0.25,
        "secret secrets password passwords passphrase passcode confidential hidden credentials pin classified key",
        r"\b(?:secrets?|passwords?|passphrase|passcode|confidential|credentials|pin code|secret word|hidden (?:word|message|key|text|prompt)|classified)\b|\b(?:the|your|api|access|encryption|private) key\b",
    ),
    _family(
        "names_its_instructions", 0.3, "prompt prompts instructions instruction rules guidelines programming told",
        r"\b(?:system prompt|initial prompt|your (?:\w+ )?(?:instructions|rules|guidelines|programming|prompt|restrictions)|(?:previous|above|prior|earlier|original|initial|first) (?:\w+ )?(?:instructions?|prompt|rules?|messages?|task)|you (?:were|have been) (?:told|instructed|programmed))\b",
    ),
    _family(
        "plays_a_part", 0.2, "pretend act acting imagine roleplay role simulate simulation character play from now hypothetical hypothetically fictional scenario",
        r"\b(?:pretend|act(?:ing)? (?:as|like)|imagine (?:you|that you|a world)|let's (?:play|pretend|imagine)|role-?play(?:ing)?|simulate|simulation|from now on|you are now|hypothetical(?:ly)?|fictional|in character|as a character)\b",
    ),
    _family(
        "puts_words_in_its_mouth", 0.2, "say repeat respond reply answer output print complete finish continue",
        r"\b(?:just|only|simply|always|must) (?:say|repeat|respond|reply|answer|output|print)\b|\brepeat (?:after me|the (?:word|words|following|phrase|sentence)|this|everything|back)\b|\b(?:complete|finish|continue) (?:the|this|my) (?:sentence|phrase|following|text|story|password)\b|\bsay ['\"]",
    ),
    _family(
        "speaks_in_code", 0.25, "base64 rot13 morse decode decoded encode encoded cipher ciphertext caesar hex hexadecimal ascii binary reverse reversed backwards leetspeak pig anagram acrostic emojis emoji",
        r"\b(?:base64|rot-?13|morse|decode[ds]?|encode[ds]?|cipher(?:text)?|caesar|hexadecimal|ascii|binary|reversed?|backwards|leetspeak|pig latin|acrostic)\b|\busing (?:only )?emojis?\b",
    ),
    _family(
        "sets_variables", 0.3, "let set variable variables where x y z s1 s2 str1 p1",
        r"\b[a-z]\w?\s*=\s*['\"][^'\"\n]*?['\"]|\b(?:variable|string) [a-z]\w? (?:is|be|equals?|contains?)\b",
    ),
    _family(
        "claims_a_right", 0.25, "admin administrator developer creator engineer authorized authorised permission sudo root override debug maintenance testing test trust promise emergency urgent nobody life",
        r"\b(?:admin(?:istrator)?|sudo|override|debug(?:ging)?|maintenance|authori[sz]ed|i am your|i'm your|my creator|your creator|security (?:test|audit|check))\b|\b(?:you can trust me|i promise|nobody (?:else )?will (?:know|find out)|between us|safe to (?:tell|share|reveal)|life depends|(?:have|has|with) permission)\b",
    ),
    _family(
        "shows_examples", 0.3, "q a user human assistant ai question answer input output",
        r"(?s:\b(?:q|question|user|human|input)\s*\d*\s*[:>].*?\b(?:a|answer|assistant|ai|output|bot)\s*\d*\s*[:>].*?\b(?:q|question|user|human|input)\s*\d*\s*[:>])",
    ),
    _family(
        "turns_away", 0.2, "ignore forget disregard override bypass instead nevermind rather stop end actually above",
        r"\b(?:ignore|disregard|override|bypass|never ?mind|forget (?:about|that|it|everything|all|the))\b|\binstead,|\b(?:new|different|another|next) (?:task|instruction|topic|question|role|rule)s?\b|\b(?:text|lines?|words?|everything|content|sentence) above\b",
    ),
)  # fmt: skip
"""What attacks often do and much else does too. All of them together never hold by themselves (see `screen`)."""


_TOLD = {
    "es": r"\b(?:ignora|ignore|olvida|olvide|descarta|omite|desobedece|no sigas|haz caso omiso de)\b[^.\n]{0,40}\b(?:instrucciones|indicaciones|reglas|órdenes|ordenes|directrices|mensaje del sistema|lo anterior|todo lo)\b",
    "fr": r"\b(?:ignore[zr]?|oublie[zr]?|néglige[zr]?|ne (?:suis|suivez|tiens|tenez) (?:pas|plus)|fais abstraction)\b[^.\n]{0,40}\b(?:instructions?|consignes?|règles?|ordres?|directives?|ce qui précède|message système)\b",
    "de": r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|übergeh\w*|beachte\w* nicht|befolge\w* nicht)\b[^.\n]{0,40}\b(?:anweisung\w*|instruktion\w*|regeln|befehle\w*|vorgaben|vorherige\w*|bisherige\w*|obige\w*|systemprompt|richtlinien)\b",
    "it": r"\b(?:ignora(?:re)?|dimentica(?:re)?|trascura|non seguire|disobbedisci)\b[^.\n]{0,40}\b(?:istruzioni|regole|ordini|direttive|indicazioni|quanto sopra|comandi)\b",
    "pt": r"\b(?:ignor[ea]|esqueç?a|desconsidere|não siga|descarte)\b[^.\n]{0,40}\b(?:instruções|regras|ordens|diretrizes|comandos|orientações|tudo acima|anteriores)\b",
    "nl": r"\b(?:negeer|vergeet|volg niet|sla)\b[^.\n]{0,40}\b(?:instructies|regels|opdrachten|aanwijzingen|richtlijnen|voorgaande|bovenstaande)\b",
    "pl": r"\b(?:zignoruj|ignoruj|zapomnij|pomiń)\b[^.\n]{0,40}\b(?:instrukcj\w*|polece\w*|zasad\w*|reguł\w*|wytyczn\w*|poprzedni\w*)",
    "tr": r"\b(?:talimatlar\w*|kurallar\w*|yönergeler\w*|komutlar\w*)\b[^.\n]{0,30}\b(?:yok say|görmezden gel|unut|dikkate alma)\w*",
    "ru": r"(?:игнорируй\w*|проигнорируй\w*|забудь\w*|не следуй\w*|отбрось\w*)[^.\n]{0,40}(?:инструкци\w*|указани\w*|правил\w*|команд\w*|предыдущ\w*|выше)",
    "uk": r"(?:ігноруй\w*|забудь\w*|не виконуй)[^.\n]{0,40}(?:інструкці\w*|вказівк\w*|правил\w*|попередн\w*)",
    "zh": r"(?:忽略|无视|無視|忘记|忘記|不要遵守|不要理会|跳过)[^。\n]{0,15}(?:指令|指示|规则|規則|提示|命令|限制|内容|设定)",
    "ja": r"(?:指示|命令|ルール|規則|プロンプト|制限|設定)[^。\n]{0,10}(?:無視|忘れ|従わない|破棄)|(?:無視して|忘れて)[^。\n]{0,15}(?:指示|命令|ルール)",
    "ko": r"(?:지시|명령|규칙|지침|프롬프트|제한)[^.\n]{0,12}(?:무시|잊어|따르지)",
    "ar": r"(?:تجاهل|انس|انسى|لا تتبع)[^.\n]{0,30}(?:التعليمات|الأوامر|القواعد|السابقة|التوجيهات)",
    "hi": r"(?:निर्देश|नियम|आदेश)\w*[^.\n]{0,30}(?:अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल|उपेक्षा)",
    "he": r"(?:התעלם|התעלמי|שכח|שכחי)[^.\n]{0,30}(?:הוראות|ההוראות|כללים|הכללים|הקודמות)",
}
_SECRETS = {
    "es": r"\b(?:revela|muestra|dime|dame|cuál es|cual es|escribe)\b[^.\n]{0,40}\b(?:contraseña|clave secreta|secreto|secreta|prompt del sistema|instrucciones (?:iniciales|del sistema))",
    "fr": r"\b(?:révèle|montre|dis-moi|donne-moi|quel est|quelle est|affiche)\b[^.\n]{0,40}\b(?:mot de passe|clé secrète|secret|secrète|prompt système|instructions (?:initiales|système))",
    "de": r"\b(?:verrate?|zeige?|sag(?:e|t)?|nenne?|gib|was ist|wie lautet|lautet)\b[^.\n]{0,40}\b(?:passwort|geheim\w*|system-?prompt|schlüssel\w*|kennwort|systemanweisung\w*)",
    "it": r"\b(?:rivela|mostra|dimmi|dammi|qual è|scrivi)\b[^.\n]{0,40}\b(?:password|parola d'ordine|chiave segreta|segret\w+|prompt di sistema)",
    "pt": r"\b(?:revele|mostre|diga-me|diga|qual é|escreva)\b[^.\n]{0,40}\b(?:senha|chave secreta|segred\w+|secreta|prompt do sistema)",
    "ru": r"(?:раскрой|покажи|скажи|назови|како[вй]|выведи)[^.\n]{0,40}(?:пароль|секретн\w+|секрет|ключ|системн\w+ (?:промпт|сообщени\w+))",
    "zh": r"(?:告诉我|透露|显示|输出|说出|什么是|是什么)[^。\n]{0,15}(?:密码|秘密|密钥|系统提示|口令)|(?:密码|秘密|密钥|系统提示)(?:是什么|是多少)",
    "ja": r"(?:パスワード|秘密|鍵|キー|システムプロンプト)[^。\n]{0,12}(?:教えて|何です|見せて|言って|出力)",
    "ko": r"(?:비밀번호|암호|비밀|시스템 프롬프트)[^.\n]{0,12}(?:알려|무엇|뭐|말해|보여)",
    "ar": r"(?:ما هي|ما هو|أخبرني|اكشف|اعرض)[^.\n]{0,25}(?:كلمة السر|كلمة المرور|المفتاح|السر)",
}
_SCRIPTS = frozenset(("ru", "uk", "zh", "ja", "ko", "ar", "hi", "he"))


def _abroad(scripts: bool) -> tuple[Family, ...]:
    return tuple(
        Family(f"{name}_{code}", weight, frozenset(), re.compile(said))
        for name, weight, table in (("ignore_instructions", 0.85, _TOLD), ("reveal_secret", 0.5, _SECRETS))
        for code, said in table.items()
        if (code in _SCRIPTS) is scripts
    )


OTHER_LATIN = _abroad(scripts=False)
"""Other languages in Latin letters; tried where one of their plainest words occurs."""
OTHER_SCRIPTS = _abroad(scripts=True)
"""Languages in other letters; tried where there are such letters."""
LATIN_HINTS = frozenset(
    "ignora olvida instrucciones reglas ignorez oubliez oublie consignes ignoriere ignorieren vergiss anweisungen"
    " istruzioni dimentica regole instruções regras esqueça negeer vergeet instructies instrukcje zignoruj talimatları"
    " contraseña clave secreta passe passwort geheimnis segreto senha segredo verrate revela dime".split()
)

FOREIGN = frozenset(
    "que los las una por para con del el la est une les des pour avec dans vous der die das und ist nicht ein eine"
    " ich du il che di una sono questo não uma você het een van niet jest nie się bir ve için är och att det som"
    " quel quelle cuál cual qué wie was welche quale qual o é".split()
) - frozenset("die was die o van come des".split())
"""The plainest words of other languages; two of them in a request say that it is not English."""

DELIMITERS = Family(
    "fake_delimiter", 0.8, frozenset(),
    re2.compile(
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|end|start_header_id|eot_id|begin_of_text)\|>|\[/?inst\]|<</?sys>>"
        r"|</?(?:system|system_prompt|system-prompt|instructions|admin)>|<(?:start|end)_of_turn>"
        r"|(?:^|\n)\s*#{2,}\s*(?:system|new instructions?|instructions? (?:for|to) (?:the )?(?:ai|assistant|model))\b\s*:?"
    ),
)  # fmt: skip
"""Marks that stand between the turns of a conversation in one model's format or another's."""
