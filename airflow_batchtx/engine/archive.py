"""Brings a model's archive into a folder."""

from __future__ import annotations

from pathlib import Path

from airflow_batchtx.errors import InvalidModelData, StorageError
from airflow_batchtx.modelserver import modeldata
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.storage.port import ObjectStore


def unpack(store: ObjectStore, url: str, folder: Path) -> None:
    """Unpack the tar.gz at `url` into `folder` as it streams in; InvalidModelData where it is none or not there.

    Members that would land outside of the folder, devices and the like make the archive invalid.
    """
    folder.mkdir(parents=True)
    try:
        with store.reader(address(url)) as archive:
            modeldata.unpack(archive, folder)
    except StorageError as error:
        # Texts of both: what SageMaker says of a model that an endpoint cannot load.
        raise InvalidModelData(
            f'Failed to download model data from URL: "{url}". Please ensure that there is an object located at the URL'
            f" and that the role passed to CreateModel has permissions to download the model. ({error.code})"
        ) from error
    except (InvalidModelData, OSError) as error:
        raise InvalidModelData(
            f'Failed to extract model data archive from URL "{url}". Please ensure that the object located at the URL'
            f" is a valid tar.gz archive. ({error})"
        ) from error
