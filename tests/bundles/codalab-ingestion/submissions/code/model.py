def predict(word):
    return "yes" if word[0] in "aeiou" else "no"
