"""The parts of the manual that are made from the code say what the code says."""

import subprocess
import sys

import pytest
from extension import commands, conversation, floors, links, plugin_files, states
from helpers.commands import ROOT

from bohb_seg import plugins
from bohb_seg.settings import DataSettings, SearchSettings, WorkerSettings

MOVES = {"new": ["open", "closed"], "open": ["new", "closed"], "closed": []}


class TestCommands:
    def test_every_setting_is_a_flag_with_its_variable_and_default(self):
        found = {
            flag.spellings[0]: flag for flag in commands.flags(commands.commands()["bohb-master"])
        }
        patch_size = found["--patch-size"]
        assert (patch_size.variable, patch_size.default) == ("BOHB_PATCH_SIZE", "256")
        assert patch_size.group is DataSettings
        assert found["--continue"].spellings == ("--continue", "--no-continue")
        assert (found["--continue"].variable, found["--continue"].default) == (
            "BOHB_CONTINUE",
            "yes",
        )
        assert found["--eta"].group is SearchSettings
        assert (found["--config"].variable, found["--config"].default) == ("", "")

    def test_each_command_has_the_settings_it_takes(self):
        found = commands.commands()
        kinds = {name: commands.settings_of(command) for name, command in found.items()}
        assert kinds["bohb-master"] is SearchSettings
        assert kinds["bohb-worker"] is WorkerSettings
        assert kinds["bohb-data check"] is DataSettings
        assert kinds["bohb-certs"] is None

    def test_flags_of_one_command_alone_have_their_default_and_choices(self):
        certs, report = (commands.commands()[f"bohb-{name}"] for name in ("certs", "report"))
        assert {flag.spellings[0]: flag.default for flag in commands.flags(certs)} == {
            "--address": "",
            "--worker": "",
            "--revoke": "",
            "--invite": "",
            "--join": "",
            "--host": "127.0.0.1",
            "--port": "9091",
            "--hours": "24",
            "--keep": "",
            "--days": "3650",
        }
        assert commands.flags(report)[0].values == "debug|info|warning|error"
        assert commands.arguments(certs) == "DIR"


class TestStates:
    def test_life_goes_from_left_to_right(self):
        assert states.columns(MOVES) == [["new"], ["open"], ["closed"]]

    def test_what_is_skipped_to_stands_outside(self):
        moves = {"a": ["b", "y", "z"], "b": ["x", "y", "z"], "x": [], "y": [], "z": []}
        assert states.columns(moves) == [["a"], ["b"], ["y", "x", "z"]]

    def test_every_move_is_an_arrow_and_every_state_a_box(self):
        drawn = states.diagram(MOVES, "a <label>")
        assert drawn.count("marker-end") == 4
        assert drawn.count("<rect") == 3
        assert drawn.count("box last") == 1
        assert 'aria-label="a &lt;label&gt;"' in drawn

    def test_ends_of_many_states_stand_apart(self):
        many = {name: ["next", "gone", "closed"] for name in ("a", "b", "c")}
        moves = {**many, "next": ["gone", "closed"], "gone": [], "closed": []}
        assert states.ends_of_all(moves) == ["gone", "closed"]
        assert states.ends_of_all(MOVES) == []
        drawn = states.diagram(moves, "life")
        assert drawn.count("marker-end") == 3
        assert drawn.count("<rect") == 6
        assert ">from each:</text>" in drawn

    def test_the_evaluations_have_a_table(self):
        moves = states.table("bohb_seg.search.evaluations")
        assert moves["running"] == ["waiting", "finished", "diverged", "failed"]

    def test_a_module_without_a_table_is_refused(self):
        with pytest.raises(ValueError, match="trials has no LEGAL_MOVES"):
            states.table("bohb_seg.trials")


class TestFloors:
    def test_they_are_those_of_the_contract(self):
        found = floors.floors()
        assert "commands" in found[0]
        assert {"master", "worker"} in map(set, found)

    def test_they_hold_every_package_and_module_once(self):
        placed = [name for floor in floors.floors() for name in floor]
        assert sorted(placed) == sorted(plugin_files.modules())

    def test_the_halves_have_nothing_in_common(self):
        deciding, training = floors.half("What decides"), floors.half("What trains")
        assert deciding
        assert training
        assert not deciding & training

    def test_each_has_a_box(self):
        drawn = floors.diagram()
        for name in plugin_files.modules():
            assert f">{name}</text>" in drawn


class TestConversation:
    def test_each_message_is_said_and_each_speaker_shown_once(self):
        told = conversation.messages(["a -> b: do it", "", "b -> b : thinks", "b -> a: done"])
        drawn = conversation.diagram(told, "talk")
        assert drawn.count("<rect") == 2
        assert drawn.count("marker-end") == 2
        for words in ("do it", "thinks", "done"):
            assert f">{words}</text>" in drawn

    @pytest.mark.parametrize("line", ["a and b", "a -> b", "-> b: c"])
    def test_another_line_is_refused(self, line):
        with pytest.raises(ValueError, match="A -> B: words"):
            conversation.messages([line])


class TestPluginFiles:
    @pytest.mark.parametrize("kind", sorted(plugins.KINDS))
    def test_every_plug_in_is_told_with_its_function(self, kind):
        found = list(plugin_files.plugin_files(kind))
        assert tuple(each.name for each in found) == plugins.names(kind)
        for each in found:
            assert each.signature.startswith(plugins.KINDS[kind].entry or "class ")
            assert each.summary.endswith(".")

    def test_the_first_sentence_survives_authors(self, tmp_path):
        file = tmp_path / "it.py"
        file.write_text('"""The net (A et al. 2015):\nsmall. More.\n\nAnd more."""\n')
        assert plugin_files.first_sentence(file) == "The net (A et al. 2015): small."


class TestLinks:
    @pytest.fixture
    def docs(self, tmp_path):
        docs = tmp_path / "docs"
        (docs / "deploy").mkdir(parents=True)
        (docs / "deploy/docker.md").write_text("```{include} ../../docker/README.md\n```\n")
        (docs / "start.md").write_text("# Start\n")
        return docs

    def test_a_link_to_an_included_file_leads_to_its_page(self, docs):
        text = "see [docker](../docker/README.md#stop)"
        assert links.relinked(text, docs, docs, docs) == "see [docker](/deploy/docker.md#stop)"

    def test_links_of_an_included_file_lead_to_pages(self, docs):
        text = "see [start](../docs/start.md)"
        assert links.relinked(text, docs.parent / "docker", docs, docs) == "see [start](/start.md)"

    def test_a_link_to_a_file_beside_an_included_one_leads_there(self, docs):
        docker = docs.parent / "docker"
        docker.mkdir()
        (docker / "compose.yaml").touch()
        found = links.relinked("[it](compose.yaml)", docker, docs / "deploy", docs)
        assert found == "[it](../../docker/compose.yaml)"

    @pytest.mark.parametrize("link", ["https://example.org/a.md", "#part", "../bohb_seg/trials.py"])
    def test_other_links_stay(self, docs, link):
        assert links.relinked(f"[x]({link})", docs, docs, docs) == f"[x]({link})"


def test_finding_all_of_it_imports_no_keras():
    program = (
        "import sys; from extension import commands, directives, states;"
        "[commands.flags(each) for each in commands.commands().values()];"
        "print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT / "docs",
    )
    assert done.stdout.strip() == "[]"
