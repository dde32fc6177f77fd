"""Rules that become machine code where they are used, and nowhere else.

Theory. Numba compiles a function to the end, whoever asks: it links all that the function calls,
optimises the whole and emits it. A rule that is only ever called by other rules goes through that
once by itself and once more with everyone above it, so that a driver of seven hundred rules was
optimised and emitted hundreds of times in parts. Here a rule stops at LLVM's text. Its library
hands this on together with the texts of all that it reaches, and the driver optimises and emits
them once.

Numba knows a compiled function by the builtin that Python would call. A rule has no code of its
own, so that it is known by some builtin which belongs to it alone, and nobody can call it.
Read in Numba 0.68, the only one that pyproject asks for, since this overrides what is inside:
`core.codegen.CPUCodeLibrary`, `core.typed_passes.BaseNativeLowering`.
"""

from typing import Any

from numba.core import codegen, compiler

LOCAL = "linkonce_odr"  # LLVM may drop it, and take one for all where several are linked
pipeline: Any = compiler  # these carry no types
libraries: Any = codegen
PUBLIC = libraries.ll.Linkage.external


class RuleLibrary(codegen.JITCodeLibrary):
    """The text of one rule, and the libraries of what it calls."""

    def finalize(self) -> None:
        """Take no more text; nothing is optimised or emitted."""
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """Return the texts of the rule and of all that it reaches, as one."""
        if self._shared_module is None:
            whole = self._own_text().clone()
            for library in self._reached({})[1:]:
                whole.link_in(_text_of(library), preserve=True)
            self._shared_module = whole
        return self._shared_module

    def _own_text(self) -> Any:
        """Return the text of this rule alone, as one that several libraries may link."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == PUBLIC:
                function.linkage = LOCAL
        return self._final_module

    def _reached(self, found: dict[Any, None]) -> list[Any]:
        """Return this library and those that it reaches, each once, itself first."""
        found[self] = None
        for library in self._linking_libraries:
            if library not in found:
                if isinstance(library, RuleLibrary):
                    library._reached(found)
                else:
                    found[library] = None
        return list(found)


def _text_of(library: Any) -> Any:
    """Return what a library that is reached adds: a rule's own text, another's with all its own."""
    if isinstance(library, RuleLibrary):
        return library._own_text()
    return library._get_module_for_linking()


class RuleCompiler(pipeline.Compiler):  # type: ignore[misc] # Numba has no types
    """Numba's compiler, up to LLVM's text."""

    def define_pipelines(self) -> Any:
        """Let the function have a rule's library, and nothing that Python could call."""
        state = self.state
        flags = state.flags
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        construct: Any = RuleLibrary
        state.library = construct(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()

    def compile_extra(self, function: Any) -> Any:
        """Compile a rule, and let callers find its text."""
        found = super().compile_extra(function)._replace(entry_point=[].clear)
        self.state.targetctx.insert_user_function(found.entry_point, found.fndesc, [found.library])
        return found
