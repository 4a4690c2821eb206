"""The planners' page: how many people on Monday at ten, and how sure are we?

``page.html`` is a shell without data; its script asks the API by the reader's own key, which stays
in the browser tab. Nothing on it comes from another machine.
"""
