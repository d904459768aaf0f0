"""Lists of recipients in files: CSV as spreadsheets and scripts write it, and Excel workbooks."""
