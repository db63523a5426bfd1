from __future__ import annotations

import pytest

from clixml_text import Object, write
from psexport.clixml import MalformedError
from psexport.fetch import topics
from psexport.model import Help, HelpExample, HelpParameter

LINE = "-" * 26


def paragraphs(*texts: str) -> list[Object]:
    return [Object(members={"Text": text}) for text in texts]


def test_a_topic() -> None:
    data = write(
        Object(
            types=["MamlCommandHelpInfo"],
            members={
                "Synopsis": " Gets it. ",
                "description": paragraphs("First.", "Second."),
                "parameters": Object(
                    members={
                        "parameter": Object(
                            members={
                                "name": "Name",
                                "description": paragraphs("Which."),
                                "defaultValue": "*",
                                "globbing": "True",
                            }
                        )
                    }
                ),
                "examples": Object(
                    members={
                        "example": [
                            Object(
                                members={
                                    "title": "One",
                                    "introduction": paragraphs("PS>"),
                                    "code": "Get-It",
                                    "remarks": paragraphs("It is got.", ""),
                                }
                            )
                        ]
                    }
                ),
                "inputTypes": Object(
                    members={
                        "inputType": Object(
                            members={
                                "type": Object(members={"name": "System.String"}),
                                "description": paragraphs("A name."),
                            }
                        )
                    }
                ),
                "alertSet": Object(
                    members={"title": "Beware", "alert": paragraphs("of it")}
                ),
                "relatedLinks": Object(
                    members={
                        "navigationLink": [
                            Object(members={"linkText": "", "uri": "https://x.org/"}),
                            Object(members={"linkText": "Set-It", "uri": ""}),
                        ]
                    }
                ),
                "Role": "Admin",
            },
        )
    )
    assert topics.from_topic("Get-It", data) == Help(
        name="Get-It",
        synopsis="Gets it.",
        description="First.\nSecond.",
        parameters=(HelpParameter("Name", "Which.", "*", globbing=True),),
        examples=(HelpExample("One", "PS>", "Get-It", "It is got."),),
        inputs=(("System.String", "A name."),),
        notes=(("Beware", "of it"),),
        links=(("", "https://x.org/"), ("Set-It", "")),
        role="Admin",
    )


def test_a_comment() -> None:
    data = write(
        Object(
            props={
                "Synopsis": "Gets it.\n",
                "Parameters": {"NAME": "Which.\n"},
                "Examples": ["PS C:\\> Get-It\nAgain\n\nGot.\n\nTwice.\n", "Get-It\n"],
                "Inputs": ["System.String\n"],
                "Notes": "Beware\n",
                "Links": ["https://x.org/it?a=b", "Set-It", "see: there"],
            }
        )
    )
    parameters = ["Name", "*", "True", "Other", "", "False"]
    assert topics.from_comment("Get-It", data, parameters) == Help(
        name="Get-It",
        synopsis="Gets it.",
        parameters=(
            HelpParameter("Name", "Which.", "*", globbing=True),
            HelpParameter("Other"),
        ),
        examples=(
            HelpExample(
                f"{LINE} EXAMPLE 1 {LINE}",
                "PS C:\\>",
                "Get-It\nAgain",
                "Got.\n\nTwice.",
            ),
            HelpExample(f"{LINE} EXAMPLE 2 {LINE}", "PS >", "Get-It"),
        ),
        inputs=(("System.String", ""),),
        notes=(("", "Beware"),),
        links=(("", "https://x.org/it?a=b"), ("Set-It", ""), ("see: there", "")),
    )


@pytest.mark.parametrize("told", [Object(), "text", 5, [], {"a": 1}])
def test_what_is_not_there_is_empty(told: object) -> None:
    assert topics.from_topic("x", write(told)) == Help("x")
    assert topics.from_comment("x", write(told), []) == Help("x")


def test_help_without_end_is_refused() -> None:
    endless = write(Object(members={"description": paragraphs(*"x" * 2_001)}))
    with pytest.raises(MalformedError):
        topics.from_topic("x", endless)
