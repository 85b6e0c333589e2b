"""The session, one presenter a panel, and what a view must be. No toolkit.

:class:`napari_cytosynth.app.session.Session` holds what is open, focused and chosen,
and offers one method for each thing that a user does.
:func:`napari_cytosynth.app.window.present` binds it to the panels of a window, which
implement the protocols of :mod:`napari_cytosynth.app.views`.
"""
