"""The words of each field, in three strengths: what only that field says, what it often says, what others say too.

Plurals are made by rule. The lists are this project's own, written from general knowledge of each field; development
data was used to see what was missing. Counted are distinct words, so that one word said often says no more than once.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words read better as text

_MEDICAL = (
    """diagnosis diagnoses diagnose diagnosed diagnostic antibiotic medication prescription prescribe prescribed prescribing
    dosage mg mcg tablet ibuprofen acetaminophen paracetamol aspirin tylenol advil insulin warfarin metformin amoxicillin
    penicillin steroid corticosteroid prednisone nsaid ssri antidepressant antihistamine statin sertraline lexapro zoloft
    prozac xanax lithium benzodiazepine opioid morphine chemotherapy radiotherapy biopsy mri ultrasound x-ray ecg ekg
    endoscopy colonoscopy cardiologist dermatologist neurologist gynecologist gynaecologist urologist psychiatrist
    pediatrician paediatrician oncologist physician clinician surgeon ophthalmologist endocrinologist orthopedic gp
    physiotherapy physiotherapist symptom infection inflammation tumor tumour cancer diabetes hypertension asthma pneumonia
    eczema psoriasis migraine seizure epilepsy hepatitis hiv std sti herpes uti thyroid cholesterol hemoglobin anemia
    anaemia ovulation miscarriage menstrual menopause contraceptive contraception endometriosis fibroid cyst ulcer hernia
    fracture sprain rash nausea vomiting vomit diarrhea diarrhoea constipation fever cough palpitations dizziness numbness
    swelling bleeding spotting itching discharge cramps bloating heartburn reflux gastritis appendicitis jaundice
    kidney liver pancreas prostate uterus ovary ovaries cervix lung artery vein spine vertebra ligament tendon cartilage
    ointment antifungal antiviral vaccine vaccination immunization placebo overdose withdrawal hospitalization
    hospitalized er icu clinic clinical therapist anxiety depression bipolar schizophrenia adhd ptsd ocd sciatica
    sinus tonsils bronchitis allergy allergic anaphylaxis epinephrine epipen inhaler catheter ivf fetus foetus trimester
    obgyn gyn bmi ldl hdl a1c tsh creatinine platelets leukemia lymphoma melanoma stroke cardiac renal hepatic pulmonary
    dehydration electrolytes melatonin probiotic laxative antacid omeprazole lisinopril amlodipine levothyroxine plan-b
    birth-control naproxen aleve benadryl antiseptic gonorrhea chlamydia syphilis hpv papilloma vagina vaginal penis penile
    testicle testicular rectal anal colon bowel stool urine semen sperm abscess pus lesion wart mole acne pimple""",
    """patient doctor dr hospital surgery surgical disease medicine medical dose therapy treatment pregnancy pregnant pain
    headache painful ache chronic acute syndrome disorder vitamin supplement hormone blood pressure heart skin stomach
    abdomen abdominal chest throat nerve muscle joint bone knee ankle hip shoulder tooth teeth dental dentist gum nose ear
    eye breast period cycle tissue gland immune virus viral bacteria bacterial fungal injury wound scar burn sore
    tired fatigue insomnia sleep obesity appetite pill capsule drug drops cream gel injection scan lab specialist
    checkup screening prognosis recovery rehabilitation nurse emergency ambulance condition severe mild onset relief
    pregnancies newborn infant toddler breastfeed breastfeeding weaning gynecological consult consultation health healthy
    weight diet glucose sugar sodium iron calcium potassium""",
    """body head back leg arm foot feet hand finger neck mouth tongue test exam examination risk exercise rest age baby child
    week month daily twice level count normal abnormal cause treat treated cure heal""",
)
_LEGAL = (
    """lawsuit litigation litigate plaintiff defendant attorney lawyer solicitor barrister statute statutory jurisdiction
 tort negligence negligent liability liable indemnify indemnity indemnification damages injunction subpoena affidavit
 deposition felony misdemeanor misdemeanour indictment arraignment parole probation acquittal
 convicted sentencing alimony prenuptial probate testator intestate executor conservatorship
 guardianship eviction evict landlord tenant tenancy lessor lessee sublease easement zoning foreclosure lien escrow
 infringement infringe infringing defamation libel slander unlawful illegally
 legality enforceable unenforceable enforceability breached breaching rescission restitution arbitration arbitrator
 mediator counterclaim pleading tribunal appellate precedent caselaw habeas
 unconstitutional hearsay admissible inadmissible testimony perjury juror jury
 courtroom courthouse prosecutor prosecute prosecuted prosecution magistrate bankruptcy creditor debtor
 wrongful retaliation severance non-compete noncompete nda counsel legally paralegal
 bylaw ordinance gdpr hipaa ada fmla eeoc osha uscis deportation asylum
 waiver sue sued suing claimant notary contractual clause covenant warranty void voidable
 fraudulent larceny burglary trespass trespassing manslaughter arson extortion
 dui dwi restraining garnish garnishment liquidated estoppel fiduciary malpractice subrogation
 permissible culpable culpability actionable statutes-of-limitations bailiff summons docket hearing""",
    """murder battery assault theft immunity appeal remedy complaint hearing suit judge supreme regulation settlement witness conviction mediation breach citizenship visa immigration consideration fraud amendment constitutional court custody law legal lawful illegal divorce bail plea discrimination harassment copyright patent trademark
    contract agreement lease rent deposit tenant rights violation violate violated claim claims dispute evidence police
    officer arrest arrested warrant charge charged crime criminal civil penalty fine employer employee termination
    terminated dismissal dismissed insurance insurer policy will estate inheritance heir trust trustee ownership owner
    license licence permit notice deed title consent obligation obligated entitled compensation judgment judgement ruling
    verdict lawyers federal state county provision section act party parties signed signature copyright proof
    legitimate tax authority government mortgage guardian adoption minor spouse""",
    """rule right reasonable property business company document written letter record pay paid file filed case opinion fact
    protect protection require required refuse agree agreed responsible prove""",
)
_HIRING = (
    """candidate applicant hire hired hiring recruiter recruiting recruitment resume résumé cv shortlist shortlisted
    shortlisting interview interviewed interviewer interviewing interviewee reject rejected rejection rehire onboarding
    probationary jobseeker headhunter applicant's overqualified underqualified employability no-hire hireable unhireable
    ats vacancy requisition headcount reference-check promotion demotion layoff layoffs redundancy terminate fired firing
    pip severance offer-letter cover-letter""",
    """role position job applicants qualification qualified unqualified experience skill salary employee employer
    employment staff team manager internship intern fit onboard screening assessment promote promoted dismissal
    performance background degree gpa certification reference references seniority senior junior suitable unsuitable
    suitability ranking ranked rank score scored selection select selected evidence strengths weaknesses offer
    decline declined advance application applied workplace colleague""",
    """work engineer developer analyst company hr communication leadership culture years recommend recommendation decision
    criteria profile requirements gap gaps strong weak round panel process feedback""",
)
_FINANCIAL = (
    """invest investing investment investor portfolio stock bond etf dividend mutual-fund index-fund equities equity
    brokerage broker ira roth 401k 403b hsa 529 annuity pension refinance refinancing mortgage amortization apr apy
    heloc securities shares shareholder treasury treasuries hedge hedging volatility diversify diversified
    diversification asset-allocation rebalance rebalancing bitcoin crypto cryptocurrency ethereum forex leverage margin
    yield yields vanguard fidelity schwab robinhood nasdaq s&p ftse dow expense-ratio payday creditworthiness fico
    deductible deduction deductions capital-gains w-2 1099 irs taxable taxed withholding write-off overdraft
    principal lender lenders borrower downpayment liquidity inflation inflation-adjusted compounding bonds
    bankrupt insolvency insolvent debt debts stocks fund funds etfs cds bullish bearish short-selling options warrants
    undervalued overvalued valuation earnings p/e payout annuities beneficiary rrsp tfsa isa superannuation depreciation""",
    """money savings save saving bank banking account credit loan loans borrow interest rate rates income salary budget
    retirement retire tax taxes taxation cash payment payments balance market markets price prices finance financial
    finances financially asset assets liability wealth risk risks return returns gain gains loss losses currency dollar
    dollars insurance premium fees fee cost costs buy selling sell trade trading trader profit profits capital advisor
    adviser accountant cpa economy economic purchase rent house property afford percentage emergency statement accounts
    tuition student statement reimbursed expenses expense business profit checks check cheque deposit""",
    """pay paid paying year years month monthly annual value worth amount invested owe owed spend spending term limit long
    short company own employer percent plan""",
)
_TRANSACTIONS = (
    """wire wired wiring transfer transferred transferring payout disburse disbursed disbursement remit remittance payee
    iban swift routing ach chargeback escrow payment payments invoice invoices transaction transactions beneficiary refund
    refunded withdraw withdrawal withdrawals payroll purchase-order settlement disbursing sepa usdc usdt wallet""",
    """approve approved approval authorise authorised authorize authorized execute executed executing release released
    account funds fund amount balance credit debit bank recipient sender vendor supplier limit loan usd eur gbp dollars euros
    pay paid order limit-increase underwriting""",
    """send sent buy sell trade contract sign money cash card processed submitted confirmed scheduled""",
)
SUBJECTS: dict[str, tuple[str, str, str]] = {
    "legal_opinions": _LEGAL,
    "medical_decisions": _MEDICAL,
    "hiring_actions": _HIRING,
    "financial_advice": _FINANCIAL,
    "high_risk_transactions": _TRANSACTIONS,
}
WEIGHTS = (1.0, 0.5, 0.2)

MEDICAL_ENDINGS = (
    "itis", "ectomy", "oscopy", "plasty", "emia", "aemia", "ology", "ologist", "opathy", "osis", "algia", "uria", "cillin",
    "mycin", "azole", "olol", "pril", "sartan", "statin", "prazole", "oxetine", "azepam", "idone", "cycline", "floxacin",
    "gliptin", "tidine", "triptan", "parin", "mab", "vir", "caine", "otomy", "gram", "iasis", "trophy", "plegia", "pnea",
)  # fmt: skip
"""How names of illnesses, operations and drugs end (WHO's international nonproprietary stems among them)."""
NOT_MEDICAL = frozenset(
    "technology psychology biology ecology geology methodology terminology ideology archaeology anthropology sociology"
    " mythology theology chronology analogy topology astrology apology apologist trilogy anthology psychologist biologist"
    " geologist program diagram instagram paragraph telegram histogram hologram kilogram anagram monogram metamorphosis"
    " hypnosis osmosis photosynthesis savoir reservoir abattoir memoir choir trophy philosophy atrophy meteorology"
    " sociologist anthropologist archaeologist ecologist zoology cosmology etymology epistemology morphology"
    " ontology phonology typology technologist theologian parallelogram pictogram".split()
)
