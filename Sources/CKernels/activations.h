// The activation functions on vectors; included after vector.h.

/// function(x), and its derivative when `slope` is not NULL. `function` is a constant wherever this is inlined.
INLINE v16f activate16(int function, v16f x, v16f *slope) {
    switch (function) {
    case VITRAIL_GELU: {
        v16f density, below = normal16(x, &density);
        if (slope) *slope = below + x * density;
        return x * below;
    }
    case VITRAIL_GELU_TANH: {
        // ½(1 + tanh u) = σ(2u)
        v16f s = sigmoid16(x * (1.59576912f + 0.0713548163f * x * x));
        if (slope) *slope = s + x * s * (1.0f - s) * (1.59576912f + 0.214064449f * x * x);
        return x * s;
    }
    case VITRAIL_QUICK_GELU: {
        v16f s = sigmoid16(1.702f * x);
        if (slope) *slope = s + 1.702f * x * s * (1.0f - s);
        return x * s;
    }
    case VITRAIL_SILU: {
        v16f s = sigmoid16(x);
        if (slope) *slope = s + x * s * (1.0f - s);
        return x * s;
    }
    case VITRAIL_RELU:
        if (slope) *slope = x > 0.0f ? (v16f)1.0f : (v16f)0.0f;
        return x < 0.0f ? (v16f)0.0f : x;
    case VITRAIL_TANH: {
        v16f y = tanh16(x);
        if (slope) *slope = 1.0f - y * y;
        return y;
    }
    default: {
        v16f s = sigmoid16(x);
        if (slope) *slope = s * (1.0f - s);
        return s;
    }
    }
}

/// Compiles LOOP(function) once for every activation.
#define FOR_ACTIVATION(function, LOOP)                                                                                 \
    switch (function) {                                                                                                \
    case VITRAIL_GELU: LOOP(VITRAIL_GELU); break;                                                                      \
    case VITRAIL_GELU_TANH: LOOP(VITRAIL_GELU_TANH); break;                                                            \
    case VITRAIL_QUICK_GELU: LOOP(VITRAIL_QUICK_GELU); break;                                                          \
    case VITRAIL_SILU: LOOP(VITRAIL_SILU); break;                                                                      \
    case VITRAIL_RELU: LOOP(VITRAIL_RELU); break;                                                                      \
    case VITRAIL_TANH: LOOP(VITRAIL_TANH); break;                                                                      \
    default: LOOP(VITRAIL_SIGMOID); break;                                                                             \
    }
