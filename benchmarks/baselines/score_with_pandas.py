"""What many a scoring program is: two files by pandas, joined by name, and scikit-learn's report on text columns.

python score_with_pandas.py INPUT     prints the weighted averages as JSON
"""

import json
import sys
from pathlib import Path

import pandas as pd
from sklearn.metrics import classification_report

truth, predictions = (pd.read_csv(next((Path(sys.argv[1]) / name).glob("*.csv"))) for name in ("ref", "res"))
both = truth.merge(predictions, on="file", suffixes=("", "_predicted"), validate="one_to_one")
report = classification_report(both["class"], both["class_predicted"], output_dict=True, zero_division=0)
print(json.dumps(report["weighted avg"]))
