"""Keys of other platforms that Palio does not use, each with a reason or an alternative. Every use is warned about.
Shared by the readers and the documentation.
"""

_NO_COUNTERPART = "it has no equivalent here and does not affect scores"
_ON_A_PAGE = "mention it on a page"
_QUEUE = "the operator decides where submissions run"
_RESULTS = "palio.logs.score sets who may read the scoring program's output"
_CHOICE = "palio.ranking.choose sets which submission is ranked"
_LIMITS = "palio.limits sets what a submission may use"

_BOTH = {
    "queue": _QUEUE,
    "reward": _ON_A_PAGE,
    "enable_detailed_results": _RESULTS,
    "show_detailed_results_in_submission_panel": _RESULTS,
    "show_detailed_results_in_leaderboard": _RESULTS,
    "make_programs_available": "offer programs to participants in a starting_kit",
    "make_input_data_available": "offer data to participants as public_data",
    "auto_run_submissions": "every submission runs when it reaches the front of the queue",
    "can_participants_make_submissions_public": "only the team and the organizers see a submission",
}

CODABENCH = _BOTH | {
    "competition_type": "it is only a label",
    "contact_email": _ON_A_PAGE,
    "forum_enabled": "there is no forum",
}
CODABENCH_PHASE = {
    "accepts_only_result_submissions": "write `submissions: [results]` under `palio:` instead",
    "solutions": "it has no meaning there on Codabench either",
}
CODABENCH_TASK = {"is_public": "tasks are not shared between challenges"}

CODALAB = (
    _BOTH
    | {
        "start_date": "a challenge starts with its first phase",
        "admin_names": "name the organizers on the server",
        "disallow_leaderboard_modifying": _CHOICE,
        "upper_bound_max_submission_size": _LIMITS,
        "last_phase_migration": "use auto_migration of a phase",
    }
    | dict.fromkeys(
        (
            "url_redirect",
            "image_url_base",
            "published",
            "secret_key",
            "enable_medical_image_viewer",
            "show_datasets_from_yaml",
            "allow_teams",
            "enable_teams",
            "require_team_approval",
            "allow_organizer_teams",
            "enable_per_submission_metadata",
            "allow_public_submissions",
            "enable_forum",
            "anonymous_leaderboard",
            "hide_top_three",
            "hide_chart",
        ),
        _NO_COUNTERPART,
    )
)
CODALAB_PHASE = {
    "is_scoring_only": "kinds of submissions are derived from the programs, or set in palio.submissions",
    "leaderboard_management_mode": "palio.ranking sets how the leaderboard is ranked",
    "datasets": "put files for participants into public_data",
    "max_submission_size": _LIMITS,
    "participant_max_storage_use": _LIMITS,
    "disable_custom_docker_image": "each submission runs in its own image or in the challenge's",
    "color": _NO_COUNTERPART,
    "delete_submissions_except_best_and_last": _NO_COUNTERPART,
}
# For the parallel datasets of version 1.8: the parent is the phase, its parts are the tasks.
CODALAB_PARENT = dict.fromkeys(
    (
        "scoring_program",
        "ingestion_program",
        "input_data",
        "reference_data",
        "ingestion_program_only_during_scoring",
    ),
    "the parts of a parallel phase have their own",
)
CODALAB_PART = dict.fromkeys(
    (
        "start_date",
        "max_submissions",
        "max_submissions_per_day",
        "execution_time_limit",
        "auto_migration",
        "hide_output",
        "hide_prediction_output",
        "hide_score_output",
        "starting_kit",
        "public_data",
        "palio",
    ),
    "its parallel parent sets it for all parts",
)
CODALAB_COLUMN = {
    "column_group": "columns are not grouped",
    "selection_default": "the first column by rank determines the order of the leaderboard",
}
