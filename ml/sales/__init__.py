"""Ticket-sales forecasts: how full a show will be, from what was known before it."""
