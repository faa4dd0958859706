"""MuJoCo worlds as bodies and as Gymnasium environments (`tandem/PickPlace-v0`, ...)."""
