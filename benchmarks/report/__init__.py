"""The report: the page, its pictures, and the numbers that other pages quote, from the committed results."""
