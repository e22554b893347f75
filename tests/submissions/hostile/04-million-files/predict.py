for number in range(1_000_000):
    open(f"/mnt/out/{number}", "w").close()
