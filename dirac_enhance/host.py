"""The host: finds plugins, isolates broken ones and returns a frozen CodecHost."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING

import pluggy

from dirac_enhance import hookspecs
from dirac_enhance.contract import check_codec
from dirac_enhance.errors import DuplicateCodecError, PluginError, PluginWarning, UnknownCodecError
from dirac_enhance.weights import WeightsFile

if TYPE_CHECKING:
    import click

    from dirac_enhance.codec import Codec

_OWN_DISTRIBUTION = "dirac-enhance"
_WHATEVER_A_PLUGIN_RAISES = (Exception, SystemExit)
"""It stays that plugin's own failure; libraries that were written for scripts call `sys.exit`."""


@dataclass(frozen=True, slots=True)
class RegisteredCodec:
    """A codec as its plugin registered it.

    Args:
        codec: the codec, its options at their defaults.
        weights: of its enhancer, or None where only decoding works.
        distribution: that the plugin came with, as pip names it.
        version: of that distribution.
    """

    codec: Codec
    weights: WeightsFile | None
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that is not in use, and why."""

    distribution: str
    version: str
    exception: BaseException

    @property
    def reason(self) -> str:
        """The exception in one line."""
        text = " ".join(str(self.exception).split())
        kind = type(self.exception).__name__
        return f"{kind}: {text}" if text else kind


@dataclass(frozen=True, slots=True)
class CodecHost:
    """What the installed plugins offer.

    Args:
        codecs: by id, sorted.
        failures: by name of the plugin's entry point.
    """

    codecs: Mapping[str, RegisteredCodec]
    failures: Mapping[str, PluginFailure]
    _manager: pluggy.PluginManager = field(repr=False, compare=False)
    _entry_points: Mapping[str, EntryPoint] = field(repr=False, compare=False)

    def codec(self, codec_id: str) -> RegisteredCodec:
        """Return the codec of this id.

        Raises:
            PluginError: if the plugin of that name failed; its exception is the cause.
            UnknownCodecError: if there is none; the message names the known ones.
        """
        if codec_id in self.codecs:
            return self.codecs[codec_id]
        if codec_id in self.failures:
            failure = self.failures[codec_id]
            raise PluginError(
                f"codec '{codec_id}' is not available, as its plugin from {failure.distribution} {failure.version}"
                f" failed: {failure.reason}"
            ) from failure.exception
        close = get_close_matches(codec_id, self.codecs, n=1)
        meant = f", did you mean '{close[0]}'?" if close else ";"
        raise UnknownCodecError(f"unknown codec '{codec_id}'{meant} {self._known()}")

    def codec_for(self, header: bytes, suffix: str) -> RegisteredCodec:
        """Return the codec of a file; one that fails to look at it is left out with a `PluginWarning`.

        Args:
            header: the file's first 4096 bytes.
            suffix: the file's suffix with its dot; it decides only between codecs that all detect the header.

        Raises:
            UnknownCodecError: if no codec detects the header, or several do and the suffix does not decide.
        """
        found = {id_: entry for id_, entry in self.codecs.items() if _detects(entry, header)}
        if len(found) > 1:
            by_suffix = {id_: entry for id_, entry in found.items() if suffix.lower() in entry.codec.file_suffixes}
            found = by_suffix or found
        if len(found) > 1:
            raise UnknownCodecError(f"the file may be of codec {' or '.join(found)}; choose one with --codec")
        if not found:
            content = "the file's content is of no known codec" if header else "the file is empty"
            raise UnknownCodecError(f"{content}; {self._known()}")
        return next(iter(found.values()))

    def register_commands(self, group: click.Group) -> Mapping[str, PluginFailure]:
        """Add the commands of all plugins to `group`, and return the plugins that failed to, by name.

        A plugin that fails, or whose command has the name of one already there, adds nothing.
        """
        import click

        failures = {}
        for name, entry_point in self._entry_points.items():
            staged = click.Group()
            try:
                _call_alone(self._manager, "register_commands", name, group=staged)
                _check_new(staged.commands, group.commands)
            except _WHATEVER_A_PLUGIN_RAISES as exception:
                failures[name] = _failure(entry_point, exception)
            else:
                for command_name, command in staged.commands.items():
                    group.add_command(command, command_name)
        return failures

    def _known(self) -> str:
        known = ", ".join(self.codecs) or "none"
        failed = f" (failed to load: {', '.join(self.failures)})" if self.failures else ""
        return f"known codecs: {known}{failed}; `dirac-enhance codecs` lists them"


def load_host() -> CodecHost:
    """Load every installed plugin of the entry-point group `dirac_enhance`; broken ones end up in `failures`.

    This distribution's own plugins come first, then the others by name, so that which of two codecs with the same id
    is refused does not depend on the order of installation.
    """
    manager = pluggy.PluginManager(hookspecs.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hookspecs)
    codecs: dict[str, RegisteredCodec] = {}
    failures: dict[str, PluginFailure] = {}
    loaded: dict[str, EntryPoint] = {}
    for name, entry_point in _name_plugins(entry_points(group=hookspecs.ENTRY_POINT_GROUP)).items():
        try:
            _load_plugin(manager, name, entry_point)
            codecs |= _collect_codecs(manager, name, entry_point, taken=codecs)
        except _WHATEVER_A_PLUGIN_RAISES as exception:
            if manager.has_plugin(name):
                manager.unregister(name=name)
            failures[name] = _failure(entry_point, exception)
        else:
            loaded[name] = entry_point
    return CodecHost(
        codecs=MappingProxyType(dict(sorted(codecs.items()))),
        failures=MappingProxyType(failures),
        _manager=manager,
        _entry_points=MappingProxyType(loaded),
    )


def _name_plugins(found: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    """Give each plugin its entry point's name, and the distribution's as well where an earlier plugin has that name."""
    named: dict[str, EntryPoint] = {}
    for entry_point in sorted(
        found, key=lambda each: (_origin(each)[0] != _OWN_DISTRIBUTION, _origin(each), each.name)
    ):
        taken = entry_point.name in named
        named[f"{entry_point.name} ({_origin(entry_point)[0]})" if taken else entry_point.name] = entry_point
    return named


def _load_plugin(manager: pluggy.PluginManager, name: str, entry_point: EntryPoint) -> None:
    plugin = entry_point.load()
    manager.register(plugin, name=name)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError(
            f"'{entry_point.value}' implements no hook; mark register_codecs with @dirac_enhance.hookimpl"
        )


def _collect_codecs(
    manager: pluggy.PluginManager, name: str, entry_point: EntryPoint, *, taken: Mapping[str, RegisteredCodec]
) -> dict[str, RegisteredCodec]:
    distribution, version = _origin(entry_point)
    collected: dict[str, RegisteredCodec] = {}

    def register(codec: Codec, *, weights: WeightsFile | None = None) -> None:
        check_codec(codec)
        if weights is not None and not isinstance(weights, WeightsFile):
            raise PluginError(f"weights of codec '{codec.id}' are {weights!r}; expected a WeightsFile or None")
        other = taken.get(codec.id) or collected.get(codec.id)
        if other is not None:
            raise _duplicate(codec.id, other.distribution, distribution)
        collected[codec.id] = RegisteredCodec(codec, weights, distribution, version)

    _call_alone(manager, "register_codecs", name, register=register)
    return collected


def _duplicate(codec_id: str, first: str, second: str) -> DuplicateCodecError:
    if first == second:
        return DuplicateCodecError(f"codec '{codec_id}' is registered twice by {first}; an id stands for one codec")
    return DuplicateCodecError(
        f"codec '{codec_id}' is registered by both {first} and {second}; uninstall one: `pip uninstall {second}`"
    )


def _call_alone(manager: pluggy.PluginManager, hook: str, name: str, **arguments: object) -> None:
    """Call a hook of one plugin only: pluggy stops at the first plugin that raises."""
    others = manager.get_plugins() - {manager.get_plugin(name)}
    manager.subset_hook_caller(hook, others)(**arguments)


def _check_new(commands: Mapping[str, click.Command], taken: Mapping[str, click.Command]) -> None:
    clashes = sorted(commands.keys() & taken.keys())
    if clashes:
        raise PluginError(f"the command '{clashes[0]}' is already there; give the plugin's another name")


def _detects(registered: RegisteredCodec, header: bytes) -> bool:
    try:
        return bool(registered.codec.detect(header))
    except _WHATEVER_A_PLUGIN_RAISES as exception:
        failure = PluginFailure(registered.distribution, registered.version, exception)
        warnings.warn(
            f"codec '{registered.codec.id}' from {failure.distribution} {failure.version} failed to look at a file and"
            f" is left out: {failure.reason}; tell the plugin's authors",
            PluginWarning,
            stacklevel=3,
        )
        return False


def _origin(entry_point: EntryPoint) -> tuple[str, str]:
    distribution = entry_point.dist
    return ("unknown", "unknown") if distribution is None else (distribution.name, distribution.version)


def _failure(entry_point: EntryPoint, exception: BaseException) -> PluginFailure:
    distribution, version = _origin(entry_point)
    return PluginFailure(distribution, version, exception)
