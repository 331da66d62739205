"""Saves an MLflow model that doubles its input: `python mlflow_model.py FOLDER`."""

from __future__ import annotations

import sys

import mlflow.pyfunc


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input * 2).to_numpy().tolist()


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Doubling(), pip_requirements=[])
