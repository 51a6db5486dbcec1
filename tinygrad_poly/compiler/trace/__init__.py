"""Traces: functions recorded as programs, simplified programs, and checks of what a trace reads and leaves outside."""
