"""Settings of the Jupyter server that start.py starts; those of the page are in labconfig/."""

import warnings

WIDGET = "application/vnd.jupyter.widget-view+json"


def drop_widgets(model, **_):
    """Save the words that stand for a widget, and not the widget: it would be dead when the notebook is opened again.

    Without its state, which Jupyter does not save, it would say "Error displaying widget: model not found". With its
    state it would look alive, and somebody's photo would be saved along.
    """
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        model["content"]["metadata"].pop("widgets", None)
        for cell in model["content"]["cells"]:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(WIDGET, None)


c = get_config()  # noqa: F821, Jupyter puts it here
# A photo travels to Python in one message; Tornado's own limit is 10 MB.
c.ServerApp.tornado_settings = {"websocket_max_message_size": 100 * 2**20}
c.ContentsManager.pre_save_hook = drop_widgets
warnings.filterwarnings(
    "ignore", "Overriding existing pre_save_hook"
)  # by itself: settings are read twice
c.Application.log_level = "WARN"
