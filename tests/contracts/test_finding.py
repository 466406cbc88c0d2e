"""The machinery finds plug-ins by name: no module of the package imports one."""

import grimp

from bohb_seg import plugins

MODULES = {
    f"bohb_seg.{kind}.{plugins.file_of(kind, name).stem}"
    for kind in sorted({*plugins.KINDS} - {"workers"})  # they are no package
    for name in plugins.names(kind)
}


def test_nothing_imports_a_plugin():
    graph = grimp.build_graph("bohb_seg")
    assert graph.modules >= MODULES
    assert len(MODULES) >= 11
    importers = {each: graph.find_modules_that_directly_import(each) for each in MODULES}
    assert {each: found for each, found in importers.items() if found} == {}


def test_the_folders_hold_plugins_and_helpers_only():
    graph = grimp.build_graph("bohb_seg")
    for kind in sorted({*plugins.KINDS} - {"workers"}):
        children = {each.rpartition(".")[2] for each in graph.find_children(f"bohb_seg.{kind}")}
        found = {plugins.file_of(kind, name).stem for name in plugins.names(kind)}
        others = children - found - {"formats"}
        assert all(name.startswith("_") for name in others), others
