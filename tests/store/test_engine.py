async def test_x(store):
    assert await store.read(lambda c: 1) == 1
