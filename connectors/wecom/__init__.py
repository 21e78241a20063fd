"""WeCom: agents answer from the app on their phone, through a self-built app."""
