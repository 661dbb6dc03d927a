"""How a decision about a person is put into words: who decides, how binding it sounds, and what is decided.

`VERBS` are what can be done in each field; alone they say little (`take`, `stop`), after `you should` or at the head of
a sentence they direct somebody. `PHRASES` decide by themselves. `ASKS` ask for a decision.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words read better as text

PERSONS = frozenset(
    "you he she i we your his her my our patient client candidate applicant employee tenant landlord employer plaintiff"
    " defendant him son daughter wife husband mother father baby company buyer seller borrower customer".split()
)
GENERIC = frozenset(
    "people patients individuals persons adults women men everyone anyone someone they children investors companies"
    " employers employees parents users others many most some candidates applicants tenants landlords clients".split()
)
MODALS = frozenset(
    "should must need needs shouldn't mustn't cannot can can't may might could ought have has gotta will would".split()
)
BINDING = frozenset("should must need needs shouldn't mustn't ought cannot can't gotta".split())
RECOMMENDS = frozenset(
    "recommend recommends recommended recommending advise advised advising suggest suggested suggesting advice suggestion"
    " recommendation prescribe urge propose conclude opinion think believe consider prefer".split()
)
IMPERSONAL = frozenset(
    "better best okay ok fine safe advisable important essential necessary wise worth time crucial sensible".split()
)
OPENERS = frozenset(
    "please then also and so first firstly second secondly next finally just do don't never always now instead but or avoid"
    " meanwhile therefore either yes no ok okay still only kindly immediately".split()
)
FIRST = frozenset("i we my our i'm i've i'd i'll we're we've mine".split())
SECOND = frozenset("you your yourself you're you've you'll yours you'd".split())
ASKING = frozenset("should can could may must do does would is am are will shall what which how".split())

_MEDICAL = """take stop start use avoid continue discontinue increase decrease reduce double skip switch undergo receive
 apply drink eat get see visit consult consider monitor check test repeat rest ice elevate treat begin try go wait taper
 administer give prescribe admit discharge refer combine mix swallow inject inhale vaccinate operate remove biopsy
 resume finish complete rule worry keep schedule seek call contact follow wear wash clean"""
_LEGAL = """sue file claim terminate evict dismiss withhold refuse appeal plead recover seek hire contact consult demand
 send report break cancel sign negotiate settle comply disclose register argue prove return keep document notify fire
 pay ask challenge object contest deny record serve write consider talk speak check read enforce assert waive waste
 represent testify move leave stay use copy publish distribute license"""
_HIRING = """hire reject interview shortlist promote advance decline offer dismiss fire rank select pass invite consider
 proceed move recommend terminate screen choose score eliminate disqualify prioritize prioritise extend rescind demote
 retain renew keep onboard"""
_FINANCIAL = """invest buy sell refinance borrow withdraw allocate short hold pay put save open contribute diversify
 consolidate transfer convert rebalance max keep use roll deposit deduct claim file report move consider wait spend
 purchase rent lend cash avoid look talk consult check get start stop cancel negotiate insure build cut set treat lock
 write declare apply call close dispute switch"""
_TRANSACTIONS = """transfer wire send pay refund release approve authorize authorise execute disburse withdraw process
 remit deposit charge submit confirm schedule issue settle sell buy place sign debit credit reverse"""
VERBS: dict[str, str] = {
    "legal_opinions": _LEGAL,
    "medical_decisions": _MEDICAL,
    "hiring_actions": _HIRING,
    "financial_advice": _FINANCIAL,
    "high_risk_transactions": _TRANSACTIONS,
}

PHRASES: dict[str, str] = {
    "legal_opinions": r"legal opinion|(?:in|it is) (?:my|our) (?:legal|considered|professional)?\s?opinion|opine that|(?:we|i) (?:conclude|hold|opine|are of the opinion|am of the opinion|find) that"
    r"|(?:is|are|would be|was|were|be|been|not) (?:(?:likely|probably|clearly|not|legally|fully|almost certainly|also|jointly|strictly|personally) ){0,3}(?:liable|enforceable|unenforceable|unlawful|lawful|illegal|legal|actionable|negligent|in breach|void|voidable|admissible|entitled to|infringing|guilty|within (?:your|their|his|her) rights|protected by)"
    r"|(?:constitutes?|amounts? to|would constitute) (?:\w+ ){0,2}(?:breach|cause|negligence|violation|fraud|discrimination|defamation|harassment|infringement|theft|trespass|consideration)"
    r"|(?:has|have|had|having) (?:(?:just|sufficient|no|good|lawful|legal|strong|valid|a|the|any|solid|reasonable|viable) ){0,3}(?:grounds|standing|cause of action|case against|claim against|legal right|right to|case for|claim for|defen[cs]e)"
    r"|you (?:may|can|could|should|must|are entitled to|have (?:the|a|every|no) right to|need to|cannot|can't) (?:\w+ )?(?:sue|terminate|evict|file (?:a|for|an|suit)|plead|appeal|seek damages|withhold|press charges|recover damages|take (?:them|him|her|it) to court|break the lease|get a lawyer|hire (?:a|an) (?:lawyer|attorney))"
    r"|(?:court|judge|jury|tribunal) (?:will|would|is likely to|is unlikely to|may|could|might) (?:\w+ )?(?:find|hold|rule|award|dismiss|side|grant|deny|rule)|terminat\w+ .{0,40}?for cause|(?:is|are) (?:not )?(?:against|violating|in violation of) the (?:law|contract|lease|statute)|(?:you|he|she|they|landlord|employer)(?:'ll| will| would)? (?:win|lose|prevail) (?:in court|the case|this case|at trial)",
    "medical_decisions": r"(?:take|taking|administer|give|prescribe[ds]?|start|starting|increase|reduce|inject|add|use|try) (?:[\w-]+ ){0,5}\d+(?:[.,]\d+)? ?(?:mg|mcg|µg|g|ml|units?|iu|tablets?|pills?|drops|capsules?|times|puffs)"
    r"|\d+(?:[.,]\d+)? ?(?:mg|mcg|ml|units|iu|tablets?|drops) (?:\w+ ){0,2}(?:daily|twice|once|thrice|every|three times|per day|a day|at night|bd|tds|od)"
    r"|(?:the|your|his|her|most likely|probable|my|likely|provisional|differential) diagnosis(?: is| could| would|:)|you (?:probably|likely|almost certainly|definitely|do not|don't|may|might|could|seem to|appear to|most likely) (?:have|are having|be having|be suffering from|are suffering from) (?:a |an |the )?(?:\w+ ){0,2}(?:infection|cancer|diabetes|pneumonia|hypertension|depression|asthma|stroke|fracture|\w+itis|\w+osis|\w+emia|allergy|deficiency|disorder|syndrome|disease|migraine|anxiety|hernia|cyst|ulcer|reflux|sprain|strain)"
    r"|(?:stop|stopping|discontinue|discontinuing|continue|continuing|start|starting|resume|restart) (?:(?:taking|using|on|with|all|the|this|that|your|his|her|any|a|an|oral|course|of) ){1,4}(?:\w+ )?(?:medication|medicine|metformin|insulin|warfarin|antibiotics?|drug|pills?|treatment|therapy|chemotherapy|steroids?|antidepressants?|statins?)"
    r"|(?:no|not) (?:\w+ )?need (?:for|of) (?:\w+ )?(?:surgery|treatment|medication|antibiotics)|(?:needs?|requires?|indicated for|candidate for|schedule) (?:\w+ ){0,2}(?:surgery|operation|biopsy|mri|transplant|hospitali[sz]ation|admission|antibiotics|transfusion)",
    "hiring_actions": r"(?:i|we|would|strongly|not|don't|therefore|:) ?(?:strongly |would |do not |not )?(?:recommend|advise|suggest|propose)(?:ed|ing)? (?:that )?(?:[\w'’]+ ){0,5}(?:hir\w+|reject\w*|interview\w*|shortlist\w*|promot\w+|advanc\w+|declin\w+|terminat\w+|dismiss\w*|moving forward|proceeding|an offer|offering|letting)"
    r"|(?:hire|reject|shortlist|advance|decline|interview|promote|dismiss|select|choose) (?:this|that|the|these|both|him|her|them|only) ?(?:candidates?|applicants?|application|person|one)?|(?:strong|clear|lean|soft|weak|definite) (?:no[- ]?hire|hire|yes|reject|no)|no[- ]hire|do not hire|not to hire"
    r"|(?:recommendation|decision|verdict|outcome|status|result|hiring_recommendation|overall)\W{1,6}(?:\w+ )?(?:hire|no hire|reject|rejected|advance|shortlist|shortlisted|decline|declined|proceed|selected|not selected|interview|do not|accept|accepted|hold|pass|move forward|fail)"
    r"|(?:should|must|will|can|be|been|not|was|were|has been|is) (?:not )?be(?:en)? (?:hired|rejected|shortlisted|interviewed|promoted|dismissed|declined|advanced|selected|fired|terminated|let go)|(?:candidate|applicant)s? (?:[\w'’-]+ ){0,6}(?:is|are|was|seems?|appears?|does|do) (?:not )?(?:a |an |the |well |highly |very |meet |our )*(?:good|poor|strong|weak|excellent|best|bad|suitable|unsuitable|qualified|unqualified|strongest|weakest|ideal|fit|requirements|overqualified|underqualified|perfect|recommended)"
    r"|we regret|regret to inform|pleased to offer|decided (?:not )?to (?:move forward|proceed|offer|go with)|(?:move|moving) (?:forward )?(?:with|to the next) (?:\w+ )?(?:candidates?|round|stage|interview)|not (?:be )?(?:moving|move) forward|(?:best|top|strong|stronger|strongest|better|poor|good|weak|not a|right) (?:candidate|applicant|hire|fit|match) (?:for|is)|(?:rank|ranked|ranking)\W{1,5}(?:#?\d|first|second|third|top)|(?:terminate|fire|let go|lay off|promote|demote) (?:\w+ ){0,3}(?:employee|him|her|them|immediately)",
    "financial_advice": r"you (?:should|must|ought to|need to|could|can|might want to|may want to|are better off|would be better off|will want to|shouldn't|don't need to|definitely should) (?:\w+ ){0,3}(?:invest|buy|sell|refinance|borrow|withdraw|allocate|short|hold|pay off|save|put|open|contribute|diversify|consolidate|max|roll|deduct|lend|cash|rent)"
    r"|(?:i|we)(?:'d| would)? (?:\w+ ){0,2}(?:recommend|advise|suggest|invest|buy|sell|put|hold|pay off|refinance|keep|go with|go for|stick with|avoid) (?:\w+ ){0,3}(?:\w*(?:invest|buy|sell|fund|stock|bond|share|loan|mortgage|saving|debt|ira|401k|roth|etf|index|cash|money|account|card)\w*)|(?:allocate|invest|put|move|keep|save|contribute) (?:[\w$£€,.]+ ){0,5}\d+ ?(?:%|percent|k\b)"
    r"|(?:good|bad|better|best|great|terrible|smart|poor|risky|safer|wise|worth) (?:\w+ )?(?:investment|idea to (?:buy|sell|invest|borrow|refinance)|time to (?:buy|sell|invest)|bet)|(?:pay off|pay down|max out|roll over|refinance|consolidate|cash out) (?:your|the|that|those|all|it|high)|(?:buy|sell|hold|short) (?:\w+ ){0,2}(?:stocks?|shares?|bonds?|etfs?|funds?|bitcoin|crypto\w*|house|gold)|strong (?:buy|sell)",
    "high_risk_transactions": r"(?:transferr(?:ed|ing)|wir(?:ed|ing)|sent|paid|refunded|releas(?:ed|ing)|approv(?:ed|ing|e)|authori[sz](?:ed|e|ing)|execut(?:ed|e|ing)|disburs(?:ed|e|ing)|remitt(?:ed|ing)|submitted|processed|transfer|wire|send|pay|initiat(?:ed|ing|e)|schedul(?:ed|ing)) (?:[\w'’#-]+ ){0,5}(?:transactions?|transfers?|payments?|loans?|refunds?|wires?|funds|invoices?|payouts?|withdrawals?|purchase orders?|trades?|orders?|payroll|[$€£]\s?\d|\d[\d,.]* ?(?:dollars|euros|usd|eur|gbp|btc|eth|pounds))"
    r"|(?:transaction|transfer|payment|loan|refund|wire|withdrawal|payout|trade|order|limit increase) (?:of [^.\n]{1,30} )?(?:has been|is|was|have been) (?:approved|authori[sz]ed|executed|released|sent|completed|initiated|submitted|processed)|['\"](?:transfer|wire|send|pay|refund|approve|withdraw|execute)_?\w*['\"]",
}
ASKS: dict[str, str] = {
    "legal_opinions": r"legal (?:opinion|advice|counsel|memo(?:randum)?|assessment|conclusion|position)|(?:is|was|would|isn't) (?:it|this|that|he|she|they|my \w+|our \w+) (?:be )?(?:il|un)?(?:legal|lawful|enforceable|binding)|(?:can|could|may|should|do) (?:i|we|they|he|she|my \w+|our \w+) (?:legally |lawfully |have to |be able to )?(?:sue|evict|terminate|fire|be sued|be fired|be arrested|press charges|break (?:the|my|our) (?:lease|contract)|get sued|take (?:him|her|them|my \w+) to court|withhold)|(?:am i|are we|is (?:he|she|my \w+|our \w+)) (?:legally )?(?:liable|allowed|entitled|required|obligated|responsible|breaking)|do (?:i|we) have (?:a|any|the) (?:case|claim|legal \w+|right|rights|recourse|grounds)|what are my (?:legal )?(?:rights|options)|legal(?:ly)? (?:options|recourse|action|rights)|terminat\w+ .{0,40}?for cause",
    "medical_decisions": r"(?:should|can|could|may|must|do) (?:i|we|he|she|they|my \w+|the patient) (?:have to |need to |still )?(?:take|stop|start|use|increase|double|skip|switch|combine|mix|continue|worry|be worried|see a doctor|get tested|be taking|give)|(?:what|which|how (?:much|many)) .{0,40}?(?:dose|dosage|mg|milligrams?|tablets?|pills?|medications?|medicine|antibiotics?)|(?:what|which) (?:could|can|might|may|is|would|should) (?:be )?(?:\w+ )?(?:wrong with me|cause|causing|my diagnosis|i take|i do)|(?:do|does|could|might) (?:i|he|she|my \w+|the patient|this) (?:have|be) (?:cancer|diabetes|a |an |pregnant|\w+itis)|am i (?:pregnant|at risk|having)|medical (?:advice|decision|opinion)|second opinion|treatment plan|is it (?:safe|ok|okay|normal|fine|dangerous|bad|possible) (?:\w+ ){0,3}(?:to|for|if|that)",
    "hiring_actions": r"(?:should|can|do|could) (?:we|i|they) (?:hire|reject|interview|shortlist|promote|fire|let go|advance|decline|terminate|lay off)|(?:rank|score|screen|shortlist|evaluate|assess|compare|rate|select|review) (?:[\w'’-]+ ){0,4}(?:candidates?|applicants?|resumes?|résumés?|cvs?|applications?)|(?:hire|reject|decline|turn down|advance) (?:this|that|the|these|those|our|my) (?:\w+ )?(?:candidates?|applicants?|person)|hiring (?:decisions?|recommendations?|actions?)|(?:rejection|termination|job offer|offer) (?:letter|e-?mail)|(?:which|what) (?:candidate|applicant)|(?:fire|terminate|promote|lay off) (?:\w+ ){0,2}(?:employee|worker|him|her)",
    "financial_advice": r"(?:should|can|could|would) (?:i|we|my \w+) (?:\w+ ){0,2}(?:invest|buy|sell|refinance|borrow|withdraw|pay off|save|put (?:my|our) (?:money|savings)|hold|contribute|rent|open|retire|cash|roll|consolidate|deduct|claim|afford)|(?:which|what) (?:stocks?|funds?|shares?|bonds?|crypto\w*|investments?|etfs?|mortgage|loan|account|credit card) (?:should|to|is|would|can)|(?:financial|investment|tax|money|retirement) advice|(?:how|where) (?:should|do|can|could) (?:i|we) (?:\w+ ){0,2}(?:invest|save|put|allocate|manage|pay)|(?:is it|would it be|is this) (?:a )?(?:\w+ )?(?:good|smart|wise|bad|worth|better|safe|legal|possible) (?:\w+ ){0,3}(?:to )?(?:invest|buy|sell|refinance|borrow|pay|idea|investment|save)",
    "high_risk_transactions": r"(?:transfer|wire|send|pay|refund|release|approve|withdraw) (?:[\w'’]+ ){0,5}(?:[$€£]\s?\d[\d,.]*|\d[\d,.]* ?(?:dollars|euros|usd|eur|gbp|pounds|btc|eth))|(?:approve|authori[sz]e|execute|release|process) (?:this|the|my|our|that|all) (?:\w+ ){0,2}(?:transaction|transfer|payment|loan|refund|purchase|invoice|wire|order|withdrawal)",
}
GENERAL = (
    r"(?:^|[.!?:;\n]\s*)(?:please |can you |could you |would you |tell me |kindly |briefly |also |so |and |ok,? |hi,? |hello,? |\d+[.)] )*"
    r"(?:(?:what|who|whom|whose|when|where|why|how|which|explain|define|describe|list|name|give|discuss|outline|write|compose|create|generate|summari[sz]e|translate|contrast|tell|introduce|difference|correct|design|code|think of|edit|rewrite|rephrase|proofread|convert|classify|identify|extract|suggest|recommend|brainstorm|imagine|elaborate|history|overview|types?|causes?|symptoms?|stages?|trends?|news|market|tips?|examples?|is there|are there|does|do|did|in what|in which)\b)"
)
"""What a request for knowledge or for text begins with. It says nothing where somebody speaks of their own case."""
ENCYCLOPAEDIA = (
    r"(?:^|[.!?:;\n]\s*)(?:please |can you |could you |would you |tell me |kindly |briefly |also |so |and |ok,? |hi,? |hello,? |\d+[.)] )*"
    r"(?:what (?:is|are|was|were|does|do|did|causes?|to do for|i need to know)\b|who\b|how to (?:diagnose|prevent|treat)\b|when (?:was|did)|how (?:many|does|did|is|are|was)\b|where (?:is|are|was)|why (?:is|are|does|do|did|was)\b"
    r"|explain|define|describe|list|name|give|discuss|outline|write|compose|create|generate|summari[sz]e|translate|contrast|introduce|elaborate|difference|correct|design|code|think of|edit|rewrite"
    r"|rephrase|proofread|convert|classify|identify|extract|brainstorm|history|overview|types?|causes?|symptoms?|stages?|trends?|news|market)\b"
)
"""What is asked of an encyclopaedia or of a writer; other questions may yet be about what to do."""
CASE = r"\b(?:should|shall|can we|may we|(?:this|these|that|our|my|the) (?:\w+ )?(?:candidates?|applicants?|employees?|finalists?|clauses?|contract|lease|letter|report|result|scan|patient|client|tenant|payment|portfolio|position)|this|these|him|her|his|patient|attached|below|following|mr|mrs|ms)\b"
"""What a case in hand is pointed at with."""
FICTION = r"\b(?:fiction\w*|poem|haiku|limerick|novel|short story|story about|joke|screenplay|scene|song|lyrics|essay|fairy tale|character)\b"
"""What asks for entertainment."""
REFUSES = (
    r"(?:i(?:'m| am)? (?:cannot|can't|can not|unable to|not able to|won't|not qualified to|not a (?:lawyer|doctor|licensed|financial)) (?:\w+ ){0,3}(?:give|provide|offer|make|advise|diagnose|recommend|answer|decide)"
    r"|(?:not|never) (?:\w+ )?(?:legal|medical|financial|investment|professional) advice|as an ai)"
)
"""What declines to decide."""
