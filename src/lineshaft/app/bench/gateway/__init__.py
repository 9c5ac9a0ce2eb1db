"""`lineshaft bench gateway`: what governance costs a POST, beside bare Starlette and FastAPI."""
