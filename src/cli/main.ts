console.log('coracle');
