"""The leaderboard of a phase: who sees what of it, its rows with their statistics, and the one place that caches them.

visibility  who sees what                   entries     scored submissions, from the database
leaderboard entries -> visible rows         statistics  what the controller has computed and stored
snapshot    the cached, rendered result     html, formats, charts   how it looks
robustness  how robust the order is      pictures    of it
request     what a page, a download or an API call asks for
"""
