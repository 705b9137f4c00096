"""Turn posts into token ids: template, answers and label paths."""
