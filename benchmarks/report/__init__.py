"""The page, its pictures, and the numbers that other pages quote, made from the committed results."""
