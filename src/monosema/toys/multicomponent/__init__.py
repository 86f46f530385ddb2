"""Learning that comes in steps: models that are sums of products, and how their loss falls (Jermyn & Shlegeris 2022).

targets     matrices and tensors with given components
products    factors -> their product, and the gradient of a loss taken back to the factors
losses      half the squared error, or the mean KL divergence of the rows' softmax
training    gradient flow, SGD and Adam, many runs in one tensor program
theory      the exact curves: logistic components, Eckart-Young heights, half-times
plateaus    where a loss curve waits
scurve      the experiment
"""
