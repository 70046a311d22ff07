"""The launcher: state, processes, what each service needs, the main job and its report."""
