"""Importing this module first sets, for the whole process, what the libraries read when they are imported."""

import os

# Jobs read local files only.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Nothing here is compiled by torch; without this, importing bitsandbytes loads torch's compiler (a second or two).
os.environ["TORCHDYNAMO_DISABLE"] = "1"
