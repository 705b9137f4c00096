"""Set the environment variables that libraries read at import; import this module before them."""

import os

# Jobs only read local files.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# babelgrid does not use torch's compiler; without this, importing bitsandbytes loads it (one to two seconds).
os.environ["TORCHDYNAMO_DISABLE"] = "1"
