import csv


def answers(train, test):
    """The answer of the nearest example."""
    with train.open() as file:
        examples = [(float(row["x"]), row["answer"]) for row in csv.DictReader(file)]
    points = [float(line) for line in test.read_text().split()]
    return [min(examples, key=lambda example: abs(example[0] - point))[1] for point in points]
