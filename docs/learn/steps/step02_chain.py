"""Step 2: the chain rule, by hand, for one weight and one point."""


def loss_of(w, x, y):
    """The squared distance between the line w x and y."""
    prediction = w * x
    error = prediction - y
    return error * error


w, x, y = 1.0, 2.0, 5.0

# Forward: each line makes one number.
prediction = w * x
error = prediction - y
loss = error * error

# Backward: the same lines, from the last to the first.
# d_error is how much the loss rises for each unit of error.
d_error = 2 * error
d_prediction = d_error * 1
d_w = d_prediction * x

h = 1e-6
measured = (loss_of(w + h, x, y) - loss_of(w - h, x, y)) / (2 * h)
print(f"prediction {prediction}, error {error}, loss {loss}")
print(f"d_error {d_error}, d_prediction {d_prediction}, d_w {d_w}")
print(f"measured   {measured:.6f}")
