"""Damages the files of stopped hubs in every way that is known, and shows that none of it goes unnoticed."""
