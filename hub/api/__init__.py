"""The HTTP side: a Litestar app with one controller a resource. Who may do what stands in auth.py."""
