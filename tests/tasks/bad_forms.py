"""Files that are nearly in the public sets' own forms, where the error says what is wrong, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.tasks import public_forms as forms
from tests.tasks.public_forms import Content, jsonl, sheet


@dataclass(frozen=True)
class Bad:
    """A task, its files, and parts of the place and of the message that the error has."""

    task: str
    files: Mapping[str, Content]
    where: str
    what: str


_BBQ = forms.BBQ
_ROW = forms.MMLU_ROW
BAD: tuple[Bad, ...] = (
    Bad("mmlu", {"mmlu_test.jsonl": jsonl(_ROW) + "{"}, "mmlu_test.jsonl:2", "not JSON"),
    Bad("mmlu", {"mmlu_test.jsonl": jsonl(_ROW, [])}, "mmlu_test.jsonl:2", "not an object"),
    Bad("mmlu", {"mmlu_test.jsonl": jsonl(_ROW | {"answer": "E"})}, "mmlu_test.jsonl:1: answer", "none of 'A'"),
    Bad(
        "mmlu",
        {"mmlu_test.jsonl": jsonl(_ROW | {"choices": ["a", "b", "c"]})},
        "mmlu_test.jsonl:1: choices",
        "4 or more",
    ),
    Bad("mmlu", {"mmlu_test.jsonl": jsonl(_ROW | {"choices": ["a", "", "c", "d"]})}, ":1: choices", "empty"),
    Bad("mmlu", {"mmlu_test.jsonl": jsonl({"question": "Q"})}, "mmlu_test.jsonl:1", "no 'choices'"),
    Bad("mmlu", {"mmlu_test.jsonl": ""}, "mmlu_test.jsonl", "no examples"),
    Bad("mmlu", {"test/art_test.csv": "Q,a,b,c,d,A\nQ,a,b\n"}, "art_test.csv:2", "3 cells, not 6"),
    Bad("mmlu", {"test/art_test.csv": 'Q,a,b,c,d,A\n"Q,a,b\n'}, "art_test.csv:2", "not a table"),
    Bad("mmlu", {"test/art_test.csv": "Q,a,b,c,d,F\n"}, "art_test.csv:1: answer", "'F' is none"),
    Bad(
        "arc_challenge",
        {"ARC-Challenge-Test.jsonl": jsonl({"id": "q", "question": "Why?"})},
        "ARC-Challenge-Test",
        "no options",
    ),
    Bad(
        "aqua_rat",
        {"aqua_rat/test.json": jsonl({"question": "1?", "options": ["A)1", "B)2"], "rationale": "", "correct": "C"})},
        ":1: correct",
        "none",
    ),
    Bad("date_understanding", {"bigbench_date.json": "[]"}, "bigbench_date.json", "no examples"),
    Bad("date_understanding", {"bigbench_date.json": "{}"}, "bigbench_date.json", "a list 'examples'"),
    Bad(
        "date_understanding",
        {"bigbench_date.json": forms.BIG.replace(": 0", ": 1")},
        ":1: target_scores",
        "2 right answers",
    ),
    Bad(
        "date_understanding",
        {"bigbench_date.json": forms.BIG.replace(": 0", ": 0.5")},
        ":1: target_scores",
        "neither 1 nor 0",
    ),
    Bad(
        "hellaswag",
        {"hellaswag_val.jsonl": jsonl(forms.HELLASWAG | {"label": ""})},
        "hellaswag_val.jsonl:1: label",
        "from 0 to 3",
    ),
    Bad("hellaswag", {"hellaswag_2000.jsonl": jsonl(forms.SAMPLE | {"answer": "C"})}, ":1: answer", "none of"),
    Bad(
        "piqa",
        {"piqa/valid.jsonl": jsonl({"goal": "g", "sol1": "a", "sol2": "b"}), "piqa/valid-labels.lst": "1\n0\n"},
        "valid",
        "1 questions and 2 labels",
    ),
    Bad(
        "piqa",
        {"piqa/valid.jsonl": jsonl({"goal": "g", "sol1": "a", "sol2": "b"}), "piqa/valid-labels.lst": "2\n"},
        "labels.lst:1: line",
        "none of",
    ),
    Bad(
        "copa",
        {"COPA/val.jsonl": jsonl({"premise": "p", "choice1": "a", "choice2": "b", "question": "why", "label": 0})},
        ":1: question",
        "none of",
    ),
    Bad(
        "copa",
        {"COPA/val.jsonl": jsonl({"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": True})},
        ":1: label",
        "True is none",
    ),
    Bad(
        "winogrande",
        {
            "winogrande/dev.jsonl": jsonl(
                {"qID": "a-1", "sentence": "no blank", "option1": "x", "option2": "y", "answer": "1"}
            )
        },
        ":1: sentence",
        "0 blanks",
    ),
    Bad("wsc273", {"wsc273.txt": forms.MASKED + "One line.\n"}, "wsc273.txt:6", "not an item"),
    Bad(
        "wsc273",
        {"wsc273.txt": forms.MASKED.replace("\n the jar \n", "\n the pot \n")},
        "wsc273.txt:1",
        "none of the candidates",
    ),
    Bad(
        "dpr",
        {"dpr_dev_small.txt": forms.DPR.replace("they bark and they", "dogs bark and do")},
        "dpr_dev_small.txt:1",
        "no 'they'",
    ),
    Bad(
        "gap",
        {"gap-validation.tsv": forms.GAP.replace("\t15\t", "\t14\t")},
        "gap-validation.tsv:3: Pronoun-offset",
        "no 'his'",
    ),
    Bad("gap", {"gap-validation.tsv": forms.GAP.replace("TRUE", "yes")}, "gap-validation.tsv:3: B-coref", "none of"),
    Bad("boolq", {"boolq/dev.jsonl": forms.BOOLQ.replace("true", '"yes"')}, "dev.jsonl:1: answer", "none of"),
    Bad("rte", {"rte/val.jsonl": forms.RTE.replace("entailment", "maybe")}, "val.jsonl:1: label", "'maybe' is none"),
    Bad("rte", {"rte/val.jsonl": forms.RTE.replace("It rains.", "\\ud800")}, "val.jsonl:1: premise", "surrogate"),
    Bad("sst2", {"SST2_test.tsv": "fine\t1\nbad\t2\n"}, "SST2_test.tsv:2: label", "none of"),
    Bad("mrpc", {"msr_paraphrase_test.txt": "Quality\t#1 ID\n0\n"}, "msr_paraphrase_test.txt:2", "1 cells, not 2"),
    Bad("blimp", {"BLiMP.zip": "no archive"}, "BLiMP.zip", "not a whole .zip"),
    Bad("blimp", {"BLiMP.zip": {"a.txt": ""}}, "BLiMP.zip", "holds no file *.jsonl"),
    Bad(
        "blimp",
        {"BLiMP.zip": {"a.jsonl": jsonl(forms.BLIMP | {"sentence_bad": " "})}},
        "a.jsonl:1: sentence_bad",
        "no text",
    ),
    Bad(
        "cola",
        {"cola_public_1.1.zip": {"raw/in_domain_dev.tsv": "gj\t2\t\tHe.\n"}},
        "in_domain_dev.tsv:1: acceptable",
        "none of",
    ),
    Bad(
        "crows_pairs",
        {"crows_pairs.csv": forms.CROWS.replace(",antistereo,", ",both,")},
        "crows_pairs.csv:2: stereo_antistereo",
        "none of",
    ),
    Bad(
        "winogender",
        {"all_sentences.tsv": forms.SENTENCES.replace(".1.", ".2.")},
        "all_sentences.tsv:2: sentid",
        "no id of a sentence",
    ),
    Bad(
        "winogender",
        {"all_sentences.tsv": forms.SENTENCES.replace(" she ", " Jo ")},
        "all_sentences.tsv:2",
        "none of she",
    ),
    Bad(
        "winobias",
        forms.WINOBIAS | {"anti_stereotyped_type1.txt.test": "1 [The cook] saw it.\n"},
        "type1.txt.test:1",
        "two occupations",
    ),
    Bad("bbq", {"bbq.zip": {"data/Age.jsonl": jsonl(_BBQ | {"label": 3})}}, "Age.jsonl:1: label", "none of"),
    Bad("bbq", {"bbq.zip": {"data/Age.jsonl": jsonl(_BBQ | {"answer_info": {}})}}, "Age.jsonl:1", "no answer_info"),
    Bad(
        "bbq",
        {"bbq.zip": {"data/Age.jsonl": jsonl(_BBQ | {"additional_metadata": {"stereotyped_groups": ["x"]}})}},
        "Age.jsonl:1",
        "0 stereotyped",
    ),
    Bad(
        "truthfulqa_mc1",
        {"mc_task.json": json.dumps([forms.MC | {"mc1_targets": {"No": 0, "Yes": 0}}])},
        "mc_task.json:1: mc1",
        "0 right",
    ),
    Bad(
        "truthfulqa_mc2",
        {"mc_task.json": json.dumps([forms.MC | {"mc2_targets": {"No": 1, "Yes": 1}}])},
        "mc_task.json:1: mc2",
        "2 of 2",
    ),
    Bad(
        "xwinograd_en",
        {"crosslingual_winograd.tsv": forms.XWINOGRAD.replace("true", "false")},
        ":1: candidates",
        "0 right",
    ),
    Bad("xwinograd_en", {"crosslingual_winograd.tsv": forms.XWINOGRAD.replace('["it", ', '["xx", ')}, ":1", "no 'xx'"),
    Bad(
        "xwinograd_en",
        {"crosslingual_winograd.tsv": forms.XWINOGRAD.replace('"it", [6, 7], ', "")},
        ":1",
        "not a pronoun",
    ),
    Bad("agieval_sat_en", {"sat-en.jsonl": jsonl(forms.PAPER | {"label": "Z"})}, "sat-en.jsonl:1: label", "names none"),
    Bad(
        "agieval_sat_en",
        {"sat-en.jsonl": jsonl(forms.PAPER | {"label": "AB"})},
        "sat-en.jsonl:1: label",
        "2 right letters",
    ),
    Bad(
        "gaokao_history",
        {"Objective_Questions/2010-2022_History_MCQs.json": forms.SEVERAL},
        "MCQs.json:1: answer",
        "'BD' is none",
    ),
    Bad(
        "gaokao_history",
        {"Objective_Questions/2010-2022_History_MCQs.json": forms.GAOKAO.replace("1.5", "0")},
        "MCQs.json:1: score",
        "no number of points",
    ),
    Bad(
        "inverse_dice",
        {"dice-0shot.csv": forms.PRIZE.replace("' No'", "'No'")},
        "dice-0shot.csv: item 1",
        "begin with a blank",
    ),
    Bad(
        "inverse_dice",
        {"dice-0shot.csv": sheet(["prompt", "classes"], ["p", "[]"])},
        "dice-0shot.csv:1",
        "answer_index",
    ),
    Bad("inverse_opinion", {"QA_bias-v2.csv": forms.PRIZE}, "QA_bias-v2.csv", "not two prompts"),
)
