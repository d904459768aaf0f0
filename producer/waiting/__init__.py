"""Why a message or a campaign waits: one set of words for command line, API and pages."""
